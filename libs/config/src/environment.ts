import { inspect } from 'node:util';
import { MASK } from './secret.ts';

/** Where health and metrics are served when OPS_PORT does not say. */
export const DEFAULT_OPS_PORT = { gateway: 9460, router: 9461, 'semantic-cache': 9462, 'usage-worker': 9463 } as const;

/** A start-up problem of the user's making. The message is one sentence that says what to change. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** The environment, checked. Printing it (JSON, inspect) masks the keys and the passwords in URLs. */
export interface Environment {
  port: number;
  host: string;
  /** null: the app's own default, see DEFAULT_OPS_PORT. 0: any free port. */
  opsPort: number | null;
  configPath: string;
  dataDir: string;
  adminKey: string | null;
  bootstrapKey: string | null;
  redisUrl: string;
  cacheRedisUrl: string;
  databaseUrl: string | null;
  qdrantUrl: string | null;
  openaiApiKeys: string[];
  openaiBaseUrl: string | null;
  logLevel: LogLevel;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Reads and checks the variables of the process. An empty variable counts as absent. Throws a ConfigError naming the variable, never its value when that is a secret. */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment {
  const redisUrl = url(variables, 'REDIS_URL', ['redis:', 'rediss:']) ?? 'redis://127.0.0.1:6379';
  return masked({
    port: port(variables, 'PORT') ?? 3000,
    host: text(variables, 'HOST') ?? '127.0.0.1',
    opsPort: port(variables, 'OPS_PORT'),
    configPath: text(variables, 'DEJA_CONFIG') ?? './deja.yaml',
    dataDir: text(variables, 'DEJA_DATA_DIR') ?? './.deja',
    adminKey: key(variables, 'DEJA_ADMIN_KEY'),
    bootstrapKey: key(variables, 'DEJA_BOOTSTRAP_KEY'),
    redisUrl,
    cacheRedisUrl: url(variables, 'CACHE_REDIS_URL', ['redis:', 'rediss:']) ?? redisUrl,
    databaseUrl: url(variables, 'DATABASE_URL', ['postgres:', 'postgresql:']),
    qdrantUrl: url(variables, 'QDRANT_URL', ['http:', 'https:']),
    openaiApiKeys: listOf(text(variables, 'OPENAI_API_KEY') ?? ''),
    openaiBaseUrl: url(variables, 'OPENAI_BASE_URL', ['http:', 'https:']),
    logLevel: logLevel(variables),
  });
}

/** The parts of a comma-separated list, without blanks and empty ones. */
export function listOf(value: string): string[] {
  return value.split(',').map((part) => part.trim()).filter((part) => part !== '');
}

function text(variables: NodeJS.ProcessEnv, name: string): string | null {
  const value = variables[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

/** A port; 0 asks the system for a free one. */
function port(variables: NodeJS.ProcessEnv, name: string): number | null {
  const value = text(variables, name);
  if (value === null) return null;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535) {
    throw new ConfigError(`${name} must be a port between 0 and 65535, but it is ${JSON.stringify(value)}.`);
  }
  return number;
}

/** A bearer token: what fits in an HTTP header, so that it can be sent at all. */
function key(variables: NodeJS.ProcessEnv, name: string): string | null {
  const value = text(variables, name);
  if (value !== null && !/^[\x21-\x7e]+$/.test(value)) {
    throw new ConfigError(`${name} must be printable ASCII without blanks, because clients send it in an HTTP header.`);
  }
  return value;
}

function url(variables: NodeJS.ProcessEnv, name: string, protocols: string[]): string | null {
  const value = text(variables, name);
  if (value === null) return null;
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    // The value is not repeated: it may hold a password.
    throw new ConfigError(`${name} must be a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}.`);
  }
  return value;
}

function logLevel(variables: NodeJS.ProcessEnv): LogLevel {
  const value = text(variables, 'LOG_LEVEL')?.toLowerCase() ?? 'info';
  const level = LOG_LEVELS.find((known) => known === value);
  if (level === undefined) {
    throw new ConfigError(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, but it is ${JSON.stringify(value)}.`);
  }
  return level;
}

/** Adds what makes a printed environment harmless. Not enumerable: comparing and spreading see plain data. */
function masked(environment: Environment): Environment {
  const printable = (): Record<string, unknown> => ({
    ...environment,
    adminKey: environment.adminKey === null ? null : MASK,
    bootstrapKey: environment.bootstrapKey === null ? null : MASK,
    openaiApiKeys: environment.openaiApiKeys.map(() => MASK),
    redisUrl: withoutPassword(environment.redisUrl),
    cacheRedisUrl: withoutPassword(environment.cacheRedisUrl),
    databaseUrl: environment.databaseUrl === null ? null : withoutPassword(environment.databaseUrl),
  });
  Object.defineProperty(environment, 'toJSON', { value: printable, enumerable: false });
  Object.defineProperty(environment, inspect.custom, { value: printable, enumerable: false });
  return environment;
}

function withoutPassword(value: string): string {
  const parsed = new URL(value);
  if (parsed.password === '') return value;
  parsed.password = MASK;
  return parsed.href;
}
