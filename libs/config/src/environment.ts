import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { ConfigError } from './environment/config-error.ts';
import { gatewayWorkers, type GatewayWorkers } from './environment/gateway-workers.ts';
import { overload, type OverloadSettings } from './environment/overload.ts';
import { BETWEEN_REDIS_URLS, redisUrl } from './environment/redis-url.ts';
import { withSecretFiles, type ReadFile, type Variables } from './environment/secret-files.ts';
import { transit, type TransitSettings } from './environment/transit.ts';
import { atLeastOne, count, key, listOf, networks, onOff, port, secondsInMs, subject, text, url, within } from './environment/variables.ts';
import { parseMasterKeys, type MasterKey } from './master-keys.ts';
import { MASK } from './secret.ts';

/** Where health and metrics are served when OPS_PORT does not say. */
export const DEFAULT_OPS_PORT = { gateway: 9460, router: 9461, 'semantic-cache': 9462, 'usage-worker': 9463 } as const;

const MOST_DRAIN_DELAY_S = 600;
const DEFAULT_METRICS_TENANTS = 100;
const DEFAULT_BODY_MEMORY_MIB = 256;
const DEFAULT_MAX_CONNECTIONS = 16_384;
const MIB_BYTES = 1024 * 1024;
const DEFAULT_REDIS_DEADLINE_MS = 50;
/** Less is no time to answer in; more is an outage that every request has to wait for. */
const REDIS_DEADLINE_MS = { least: 10, most: 1000 };

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
  /** How long after SIGTERM the gateway goes on as before, apart from saying that it is not ready. */
  drainDelayMs: number;
  /** Processes that serve behind the gateway's port; one is the gateway itself. */
  gatewayWorkers: GatewayWorkers;
  /** How many tenants have metrics of their own; the others share those of `other`. 0: there are no metrics by tenant. */
  metricsTenants: number;
  /** What bodies of requests that are on their way in may take together, in bytes. */
  bodyMemoryBytes: number;
  /** How many clients' connections a gateway process holds; further ones are closed at once. */
  maxConnections: number;
  /** How long a request waits for what Redis decides about it, until the gateway decides by itself. */
  redisDeadlineMs: number;
  /** From when on a gateway process refuses requests; null: never. */
  overload: OverloadSettings | null;
  /** The first one is current. Empty for all apps but the router. */
  masterKeys: MasterKey[];
  transit: TransitSettings | null;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const readText: ReadFile = (path) => readFileSync(path, 'utf8');

/**
 * Reads and checks the variables of the process, and once the files that hold secrets in place of them. An empty variable counts as absent. Throws a
 * ConfigError naming the variable and its file, never its value when that is a secret.
 */
export function readEnvironment(given: NodeJS.ProcessEnv, readFile: ReadFile = readText): Environment {
  const variables = withSecretFiles(given, readFile);
  const redis = redisUrl(variables, 'REDIS_URL') ?? 'redis://127.0.0.1:6379';
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
    redisUrl: redis,
    cacheRedisUrl: redisUrl(variables, 'CACHE_REDIS_URL') ?? redis,
    databaseUrl: url(variables, 'DATABASE_URL', ['postgres:', 'postgresql:']),
    qdrantUrl: url(variables, 'QDRANT_URL', ['http:', 'https:']),
    qdrantApiKey: text(variables, 'QDRANT_API_KEY'),
    openaiApiKeys: listOf(text(variables, 'OPENAI_API_KEY') ?? ''),
    openaiBaseUrl: url(variables, 'OPENAI_BASE_URL', ['http:', 'https:']),
    logLevel: logLevel(variables),
    drainDelayMs: secondsInMs(variables, 'DEJA_DRAIN_DELAY_S', MOST_DRAIN_DELAY_S) ?? 0,
    gatewayWorkers: gatewayWorkers(variables.values),
    metricsTenants: count(variables, 'DEJA_METRICS_TENANTS') ?? DEFAULT_METRICS_TENANTS,
    bodyMemoryBytes: (atLeastOne(variables, 'DEJA_BODY_MEMORY_MIB') ?? DEFAULT_BODY_MEMORY_MIB) * MIB_BYTES,
    maxConnections: atLeastOne(variables, 'DEJA_MAX_CONNECTIONS') ?? DEFAULT_MAX_CONNECTIONS,
    redisDeadlineMs: within(variables, 'DEJA_REDIS_DEADLINE_MS', REDIS_DEADLINE_MS, 'a whole number of milliseconds') ?? DEFAULT_REDIS_DEADLINE_MS,
    overload: overload(variables),
    masterKeys: masterKeys(variables),
    transit: transit(variables),
  });
}

function logLevel(variables: Variables): LogLevel {
  const value = text(variables, 'LOG_LEVEL')?.toLowerCase() ?? 'info';
  const level = LOG_LEVELS.find((known) => known === value);
  if (level === undefined) {
    throw new ConfigError(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, but it is ${JSON.stringify(value)}.`);
  }
  return level;
}

function masterKeys(variables: Variables): MasterKey[] {
  const given = text(variables, 'DEJA_MASTER_KEY');
  if (given === null) return [];
  const parsed = parseMasterKeys(given);
  if ('keys' in parsed) return parsed.keys;
  throw new ConfigError(`${subject(variables, 'DEJA_MASTER_KEY')} ${parsed.problem}.`);
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
