import { createHash, randomUUID } from 'node:crypto';
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, LauncherError } from './launcher-error.ts';
import { isAlive, processIdentity, type KnownProcess } from './process-identity.ts';

const ATTEMPTS = 200;
const BETWEEN_ATTEMPTS_MS = 20;
/** Removing a stale lock takes milliseconds; who has not done it by then died over it. */
const REMOVAL_MS = 10_000;

/** A file that at most one living process holds. What a dead one left is taken over, by one process even when several try at once. */
export class LockFile {
  readonly #path: string;
  #held = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the lock; answers null, or who has it. */
  async take(): Promise<KnownProcess | null> {
    const mine = { pid: process.pid, identity: await processIdentity(process.pid), nonce: randomUUID() };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (await this.#create(JSON.stringify(mine))) {
        this.#held = true;
        return null;
      }
      const seen = await readFile(this.#path, 'utf8').catch(() => null); // given back in this moment
      if (seen === null) continue;
      const holder = holderFrom(seen);
      if (holder !== null && (await isAlive(holder))) return holder;
      await this.#removeStale(seen);
    }
    throw new LauncherError(`The lock ${this.#path} cannot be taken: remove that file if nothing runs there.`);
  }

  async release(): Promise<void> {
    if (this.#held) await rm(this.#path, { force: true });
    this.#held = false;
  }

  /** The file appears with its content or not at all, and never in place of another. */
  async #create(content: string): Promise<boolean> {
    const complete = `${this.#path}.${randomUUID()}`;
    try {
      await writeFile(complete, content, { mode: 0o600 });
      await link(complete, this.#path);
      return true;
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(complete, { force: true });
    }
  }

  /**
   * Only who first links this very content to its claim may remove the lock; while it is there, nobody can put another in its place. So a lock that
   * was taken anew between the look and the removal is never removed.
   */
  async #removeStale(seen: string): Promise<void> {
    const claim = `${this.#path}.stale-${createHash('sha256').update(seen).digest('hex').slice(0, 16)}`;
    try {
      await link(this.#path, claim);
    } catch {
      // Another one is at it, or done. A claim that stays was left by one that died.
      const claimed = await stat(claim).catch(() => null);
      if (claimed !== null && Date.now() - claimed.ctimeMs > REMOVAL_MS) await rm(claim, { force: true });
      await delay(BETWEEN_ATTEMPTS_MS);
      return;
    }
    if ((await readFile(claim, 'utf8')) === seen) await rm(this.#path, { force: true });
    await rm(claim, { force: true });
  }
}

/** null for what no launcher has written: a crash of the machine may leave such a file. */
function holderFrom(text: string): KnownProcess | null {
  try {
    return JSON.parse(text) as KnownProcess;
  } catch {
    return null;
  }
}
