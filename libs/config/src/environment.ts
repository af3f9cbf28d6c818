import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { networkOf } from './ip-address.ts';
import { parseMasterKeys, type MasterKey } from './master-keys.ts';
import { MASK, Secret } from './secret.ts';

/** Where health and metrics are served when OPS_PORT does not say. */
export const DEFAULT_OPS_PORT = { gateway: 9460, router: 9461, 'semantic-cache': 9462, 'usage-worker': 9463 } as const;

/** A start-up problem of the user's making. The message is one sentence that says what to change. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** A HashiCorp Vault, or what speaks its HTTP API, whose transit engine wraps data keys. */
export interface TransitSettings {
  /** Without a slash at the end. */
  address: string;
  /** A file is read at each use: an agent may renew what stands in it. */
  token: Secret | { file: string };
  /** null: none, as in the edition without namespaces. */
  namespace: string | null;
  /** Where the engine is mounted, without slashes at the ends. */
  mount: string;
  /** Name of the key that wraps; null: the engine only unwraps what it wrapped before. */
  key: string | null;
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
  /** Whether this gateway serves the admin API at all. */
  admin: boolean;
  /** Where it serves it; null: beside the client's API. */
  adminPort: number | null;
  /** Networks and addresses of proxies whose `x-forwarded-for` says where a request comes from. */
  trustedProxies: string[];
  bootstrapKey: string | null;
  /** One URL, or several with commas between them: some nodes of a Redis Cluster. A cluster may also be one URL of scheme `redis+cluster` or `rediss+cluster`. */
  redisUrl: string;
  cacheRedisUrl: string;
  databaseUrl: string | null;
  qdrantUrl: string | null;
  qdrantApiKey: string | null;
  openaiApiKeys: string[];
  openaiBaseUrl: string | null;
  logLevel: LogLevel;
  /** The first one is current. Empty for all apps but the router. */
  masterKeys: MasterKey[];
  transit: TransitSettings | null;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type ReadFile = (path: string) => string;
const readText: ReadFile = (path) => readFileSync(path, 'utf8');

/**
 * Reads and checks the variables of the process. An empty variable counts as absent. Throws a ConfigError naming the variable, never its
 * value when that is a secret. `readFile` reads what DEJA_MASTER_KEY_FILE names.
 */
export function readEnvironment(variables: NodeJS.ProcessEnv, readFile: ReadFile = readText): Environment {
  const redisUrl = redis(variables, 'REDIS_URL') ?? 'redis://127.0.0.1:6379';
  return masked({
    port: port(variables, 'PORT') ?? 3000,
    host: text(variables, 'HOST') ?? '127.0.0.1',
    opsPort: port(variables, 'OPS_PORT'),
    configPath: text(variables, 'DEJA_CONFIG') ?? './deja.yaml',
    dataDir: text(variables, 'DEJA_DATA_DIR') ?? './.deja',
    adminKey: key(variables, 'DEJA_ADMIN_KEY'),
    admin: onOff(variables, 'DEJA_ADMIN') ?? true,
    adminPort: port(variables, 'DEJA_ADMIN_PORT'),
    trustedProxies: networks(variables, 'DEJA_TRUSTED_PROXIES'),
    bootstrapKey: key(variables, 'DEJA_BOOTSTRAP_KEY'),
    redisUrl,
    cacheRedisUrl: redis(variables, 'CACHE_REDIS_URL') ?? redisUrl,
    databaseUrl: url(variables, 'DATABASE_URL', ['postgres:', 'postgresql:']),
    qdrantUrl: url(variables, 'QDRANT_URL', ['http:', 'https:']),
    qdrantApiKey: text(variables, 'QDRANT_API_KEY') ?? null,
    openaiApiKeys: listOf(text(variables, 'OPENAI_API_KEY') ?? ''),
    openaiBaseUrl: url(variables, 'OPENAI_BASE_URL', ['http:', 'https:']),
    logLevel: logLevel(variables),
    masterKeys: masterKeys(variables, readFile),
    transit: transit(variables),
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

function onOff(variables: NodeJS.ProcessEnv, name: string): boolean | null {
  const value = text(variables, name);
  if (value !== null && value !== 'on' && value !== 'off') throw new ConfigError(`${name} must be on or off, but it is ${JSON.stringify(value)}.`);
  return value === null ? null : value === 'on';
}

function networks(variables: NodeJS.ProcessEnv, name: string): string[] {
  const given = listOf(text(variables, name) ?? '');
  const bad = given.find((network) => networkOf(network) === null);
  if (bad !== undefined) throw new ConfigError(`${name} must be a list of networks and addresses, as 10.0.0.0/8,192.0.2.1, but it has ${JSON.stringify(bad)}.`);
  return given;
}

/** A bearer token: what fits in an HTTP header, so that it can be sent at all. */
function key(variables: NodeJS.ProcessEnv, name: string, because = 'because clients send it'): string | null {
  const value = text(variables, name);
  if (value !== null && !/^[\x21-\x7e]+$/.test(value)) {
    throw new ConfigError(`${name} must be printable ASCII without blanks, ${because} in an HTTP header.`);
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

/** A comma divides only where the next URL begins: a password may hold one. */
const BETWEEN_REDIS_URLS = /,\s*(?=rediss?(?:\+cluster)?:\/\/)/;

/** One Redis, or a Redis Cluster by some of its nodes. */
function redis(variables: NodeJS.ProcessEnv, name: string): string | null {
  const value = text(variables, name);
  if (value === null) return null;
  const parts = value.split(BETWEEN_REDIS_URLS);
  const urls = parts.map((part) => URL.parse(part));
  // The value is not repeated: it may hold a password.
  if (!urls.every((one) => one !== null && /^rediss?(\+cluster)?:$/.test(one.protocol) && one.host !== '')) {
    throw new ConfigError(`${name} must be a URL that starts with redis:// or rediss://, or several of them with commas between them, which are nodes of a Redis Cluster.`);
  }
  const [first, ...others] = urls.filter((one) => one !== null);
  if (first === undefined || (others.length === 0 && !first.protocol.includes('+'))) return value;
  if (urls.some((one) => one !== null && !/^\/?0?$/.test(one.pathname))) throw new ConfigError(`${name} names a Redis Cluster, which has no databases by number: leave out what follows the port.`);
  const asFirst = (one: URL): boolean => one.protocol.startsWith('rediss') === first.protocol.startsWith('rediss') && (one.password === '' || (one.username === first.username && one.password === first.password));
  if (!others.every(asFirst)) throw new ConfigError(`${name} names a Redis Cluster, whose nodes have one user, one password, and all TLS or none: give them in the first URL.`);
  return parts.join(',');
}

function logLevel(variables: NodeJS.ProcessEnv): LogLevel {
  const value = text(variables, 'LOG_LEVEL')?.toLowerCase() ?? 'info';
  const level = LOG_LEVELS.find((known) => known === value);
  if (level === undefined) {
    throw new ConfigError(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, but it is ${JSON.stringify(value)}.`);
  }
  return level;
}

/** From DEJA_MASTER_KEY, or else from the file that DEJA_MASTER_KEY_FILE names; none where neither is set. */
function masterKeys(variables: NodeJS.ProcessEnv, readFile: ReadFile): MasterKey[] {
  const given = text(variables, 'DEJA_MASTER_KEY');
  const file = given === null ? text(variables, 'DEJA_MASTER_KEY_FILE') : null;
  if (given === null && file === null) return [];
  const parsed = parseMasterKeys(given ?? fileText('DEJA_MASTER_KEY_FILE', file ?? '', readFile));
  if ('keys' in parsed) return parsed.keys;
  throw new ConfigError(`${given === null ? `DEJA_MASTER_KEY_FILE: the file ${file}` : 'DEJA_MASTER_KEY'} ${parsed.problem}.`);
}

function fileText(name: string, path: string, readFile: ReadFile): string {
  try {
    return readFile(path);
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown reason';
    throw new ConfigError(`${name} names the file ${path}, which cannot be read (${code}): make it a file that this process may read.`);
  }
}

const TRANSIT_KEY = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const TRANSIT_MOUNT = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;

/** DEJA_TRANSIT_KEY asks for it, and then all it needs must be there. Without it a VAULT_ADDR with a token is for unwrapping, and anything less is someone else's. */
function transit(variables: NodeJS.ProcessEnv): TransitSettings | null {
  const name = text(variables, 'DEJA_TRANSIT_KEY');
  const mount = text(variables, 'DEJA_TRANSIT_MOUNT')?.replace(/^\/+|\/+$/g, '') ?? 'transit';
  const given = text(variables, 'VAULT_TOKEN');
  const file = text(variables, 'VAULT_TOKEN_FILE');
  if (name === null && (text(variables, 'VAULT_ADDR') === null || (given === null && file === null))) return null;
  if (name !== null && !TRANSIT_KEY.test(name)) throw new ConfigError('DEJA_TRANSIT_KEY must be the name of a transit key: letters, digits, ".", "_" and "-".');
  if (!TRANSIT_MOUNT.test(mount)) throw new ConfigError('DEJA_TRANSIT_MOUNT must be the path of a transit engine, such as transit.');
  const address = url(variables, 'VAULT_ADDR', ['https:', 'http:']);
  if (address === null) throw new ConfigError('VAULT_ADDR is missing: DEJA_TRANSIT_KEY needs the address of the Vault that has the key, such as https://vault.example.com:8200.');
  const { username, password, search, hash } = new URL(address);
  if (username + password + search + hash !== '') throw new ConfigError('VAULT_ADDR must be an address alone, without a user, a password, ? or #: the token belongs in VAULT_TOKEN or VAULT_TOKEN_FILE.');
  const token = key(variables, 'VAULT_TOKEN', 'because it is sent');
  if (token === null && file === null) throw new ConfigError('VAULT_TOKEN is missing: DEJA_TRANSIT_KEY needs a token in it, or in a file that VAULT_TOKEN_FILE names.');
  return {
    address: address.replace(/\/+$/, ''),
    token: token === null ? { file: file ?? '' } : new Secret(token),
    namespace: key(variables, 'VAULT_NAMESPACE', 'because it is sent'),
    mount,
    key: name,
  };
}

/** Adds what makes a printed environment harmless. Not enumerable: comparing and spreading see plain data. */
function masked(environment: Environment): Environment {
  const printable = (): Record<string, unknown> => ({
    ...environment,
    adminKey: environment.adminKey === null ? null : MASK,
    bootstrapKey: environment.bootstrapKey === null ? null : MASK,
    openaiApiKeys: environment.openaiApiKeys.map(() => MASK),
    redisUrl: withoutPasswords(environment.redisUrl),
    cacheRedisUrl: withoutPasswords(environment.cacheRedisUrl),
    databaseUrl: environment.databaseUrl === null ? null : withoutPassword(environment.databaseUrl),
    qdrantUrl: environment.qdrantUrl === null ? null : withoutPassword(environment.qdrantUrl),
    qdrantApiKey: environment.qdrantApiKey === null ? null : MASK,
  });
  Object.defineProperty(environment, 'toJSON', { value: printable, enumerable: false });
  Object.defineProperty(environment, inspect.custom, { value: printable, enumerable: false });
  return environment;
}

const withoutPasswords = (urls: string): string => urls.split(BETWEEN_REDIS_URLS).map(withoutPassword).join(',');

function withoutPassword(value: string): string {
  const parsed = new URL(value);
  if (parsed.password === '') return value;
  parsed.password = MASK;
  return parsed.href;
}
