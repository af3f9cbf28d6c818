import { createHash } from 'node:crypto';
import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError, parseConfig, type DejaConfig, type Environment, type ParsedConfig } from '@deja/config';
import type { Logger } from '@deja/telemetry';

const POLL_MS = 1000;
const SETTLE_MS = 50;

type ConfigErrors = Extract<ParsedConfig, { ok: false }>['errors'];

/** deja.yaml cannot be used. The message names each problem with its place, one a line. */
export class BadConfigFile extends Error {
  constructor(path: string, errors: ConfigErrors) {
    super(errors.map((error) => problemLine(path, error)).join('\n'));
    this.name = 'BadConfigFile';
  }
}

/** deja.yaml on disk. A change is noticed within two seconds, however it is made: in place, by rename, by a symbolic link that moves. */
export class ConfigFile {
  readonly path: string;
  #fingerprint = '';
  #hadFile = false;
  #references: string[] = [];
  #lastSeen = '';
  #watcher: FSWatcher | null = null;
  #timers: { poll?: NodeJS.Timeout; settle?: NodeJS.Timeout } = {};
  #work: Promise<unknown> = Promise.resolve();
  #onChange: (config: DejaConfig) => Promise<void> = () => Promise.resolve();
  #loadedAtMs = 0;
  #refused: ConfigErrors = [];

  constructor(
    private readonly environment: Environment & { variables: NodeJS.ProcessEnv },
    private readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>,
  ) {
    this.path = resolve(environment.configPath);
  }

  /** Reads the file for the first time; no file is a configuration too. Throws a BadConfigFile, or a ConfigError when it cannot be read. */
  async load(): Promise<DejaConfig> {
    this.#fingerprint = await this.#look();
    const { text, parsed, seen } = await this.#read();
    this.#hadFile = text !== null;
    this.#lastSeen = seen;
    if (!parsed.ok) throw new BadConfigFile(this.path, parsed.errors);
    if (text === null) this.logger.info({ path: this.path }, 'no configuration file: running with what the environment gives');
    for (const warning of parsed.warnings) this.logger.warn(`${basename(this.path)}: ${warning}`);
    this.#loadedAtMs = Date.now();
    return parsed.config;
  }

  /** When the configuration in force was read, in Unix milliseconds. */
  get loadedAtMs(): number {
    return this.#loadedAtMs;
  }

  /** Whether it came from a file; there may be none. */
  get isThere(): boolean {
    return this.#hadFile;
  }

  /** What is wrong with the file that stands there; empty while it is the one in force. */
  get refused(): ConfigErrors {
    return this.#refused;
  }

  /** Calls back with each good configuration that is different from the last. A bad file is refused whole and logged; the last good one stays. */
  watch(onChange: (config: DejaConfig) => Promise<void>): void {
    this.#onChange = onChange;
    try {
      this.#watcher = watch(dirname(this.path), () => this.#soon());
      this.#watcher.on('error', (error) => this.logger.warn({ err: error }, 'the folder of the configuration cannot be watched; looking once a second'));
    } catch (error) {
      this.logger.warn({ err: error }, 'the folder of the configuration cannot be watched; looking once a second');
    }
    this.#timers.poll = setInterval(() => void this.check(), POLL_MS);
  }

  /** Looks at once, and has called back when it resolves: whether there was another good configuration. */
  check(): Promise<boolean> {
    const done = this.#work.then(() => this.#checkNow()).catch((error: unknown) => {
      this.logger.error({ err: error }, 'the configuration file could not be looked at; the last good configuration stays');
      return false;
    });
    this.#work = done;
    return done;
  }

  async close(): Promise<void> {
    this.#watcher?.close();
    clearInterval(this.#timers.poll);
    clearTimeout(this.#timers.settle);
    await this.#work;
  }

  #soon(): void {
    clearTimeout(this.#timers.settle);
    this.#timers.settle = setTimeout(() => void this.check(), SETTLE_MS);
  }

  async #checkNow(): Promise<boolean> {
    const fingerprint = await this.#look();
    if (fingerprint === this.#fingerprint) return false;
    const { text, parsed, seen } = await this.#read();
    // What was there before the read: a change during it is seen next time.
    this.#fingerprint = fingerprint;
    if (seen === this.#lastSeen) return false;
    this.#lastSeen = seen;
    if (text === null && this.#hadFile) {
      this.#refused = [];
      this.logger.warn({ path: this.path }, 'the configuration file is gone; the last good configuration stays');
      return false;
    }
    this.#hadFile = text !== null;
    this.#refused = parsed.ok ? [] : parsed.errors;
    if (!parsed.ok) {
      for (const error of parsed.errors) this.logger.error(`refused: ${problemLine(this.path, error)}`);
      this.logger.error({ path: this.path }, 'the changed configuration file is refused; the last good configuration stays');
      return false;
    }
    for (const warning of parsed.warnings) this.logger.warn(`${basename(this.path)}: ${warning}`);
    this.#loadedAtMs = Date.now();
    await this.#onChange(parsed.config);
    return true;
  }

  /** `seen` names all that was read, the content of referenced files too. */
  async #read(): Promise<{ text: string | null; parsed: ParsedConfig; seen: string }> {
    const text = await readFile(this.path, 'utf8').catch((error: unknown) => {
      if (isAbsent(error)) return null;
      throw new ConfigError(`the configuration file ${this.path} cannot be read (${codeOf(error)}): make it a file that this process may read.`);
    });
    const seen = createHash('sha256').update(text ?? '\0absent');
    const parsed = parseConfig(text, this.environment, (path) => {
      const content = readFileSync(path, 'utf8');
      seen.update(`\0${path}\0${content}`);
      return content;
    });
    this.#references = parsed.files;
    return { text, parsed, seen: seen.digest('hex') };
  }

  /** Says whether the file, or one it refers to, may have changed. */
  async #look(): Promise<string> {
    const looks = await Promise.all([this.path, ...this.#references].map(async (path) => {
      try {
        const { ino, size, mtimeMs, ctimeMs } = await stat(path);
        return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
      } catch (error) {
        return isAbsent(error) ? 'absent' : 'unreadable';
      }
    }));
    return looks.join(' ');
  }
}

function isAbsent(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown reason';
}

function problemLine(path: string, { path: key, line, column, message }: ConfigErrors[number]): string {
  return `${path}:${line}:${column}: ${key === '' ? '' : `${key}: `}${message}`;
}
