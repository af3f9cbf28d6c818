import { LauncherError } from './launcher-error.ts';
import { freePort, isFree, LAST_PORT, nextFreePort } from './port.ts';
import { APPS, type AppName, type Scale } from './scale.ts';
import type { Secrets } from './secrets.ts';

/** Where one replica of an app listens. */
export interface Seat {
  app: AppName;
  /** 1 for the first replica. */
  n: number;
  /** The client API, gateways only. */
  port: number | null;
  /** The admin API, gateways only, where it has a port of its own. */
  adminPort: number | null;
  opsPort: number;
}

export interface SeatWishes {
  host: string;
  /** Of the first gateway; the next ones follow. 0: any free ports. */
  port: number;
  /** Of the first gateway; the next ones follow. 0: any free ports. null: the admin API is beside the client API, or nowhere. */
  adminPort: number | null;
  /** Of the first gateway; the other apps follow, and each further replica is 10 further. 0: any free ports. */
  opsPort: number;
}

const OPS_STEP = 10;

/** Variables that say on which port gateways are told to listen, and what is there. */
const TOLD = { PORT: '', DEJA_ADMIN_PORT: ' for the admin API' } as const;

/**
 * A place for every replica. A busy ops port gives way to the next free one; a busy port of a gateway, which others were told, is a LauncherError.
 */
export async function assignSeats(scale: Scale, { host, port, adminPort, opsPort: firstOpsPort }: SeatWishes): Promise<Seat[]> {
  const taken = new Set<number>();
  const claim = async (wish: number): Promise<number> => {
    const claimed = await nextFreePort(wish === 0 ? await freePort(host) : wish, host, taken);
    taken.add(claimed);
    return claimed;
  };
  const claimTold = async (name: keyof typeof TOLD, first: number): Promise<number[]> => {
    const ports: number[] = [];
    for (let n = 1; n <= scale.gateway; n += 1) {
      const wish = first === 0 ? 0 : first + n - 1;
      if (wish > LAST_PORT) throw new LauncherError(`${name}=${first} leaves no port for gateway ${n}: choose a lower one.`);
      if (taken.has(wish)) throw new LauncherError(`Port ${wish}${TOLD[name]} (for gateway ${n}) is one of those for clients: choose another port with ${name}=${instead(wish)} npm start.`);
      if (wish !== 0 && !(await isFree(wish, host))) throw new LauncherError(busySentence(name, wish, n));
      ports.push(await claim(wish));
    }
    return ports;
  };
  const clientPorts = await claimTold('PORT', port);
  const adminPorts = adminPort === null ? [] : await claimTold('DEJA_ADMIN_PORT', adminPort);
  const seats: Seat[] = [];
  for (const [index, app] of APPS.entries()) {
    for (let n = 1; n <= scale[app]; n += 1) {
      const opsPort = await claim(firstOpsPort === 0 ? 0 : firstOpsPort + index + OPS_STEP * (n - 1));
      const own = (ports: readonly number[]): number | null => (app === 'gateway' ? (ports[n - 1] ?? null) : null);
      seats.push({ app, n, port: own(clientPorts), adminPort: own(adminPorts), opsPort });
    }
  }
  return seats;
}

function busySentence(name: keyof typeof TOLD, port: number, n: number): string {
  const which = n === 1 ? '' : ` (for gateway ${n})`;
  return `Port ${port}${TOLD[name]}${which} is in use by another program: stop that one, or choose another port with ${name}=${instead(port)} npm start.`;
}

const instead = (port: number): number => (port + 100 > LAST_PORT ? port - 100 : port + 100);

/**
 * Whether and where the gateways serve the admin API, from their environment: `beside` the client API, on ports of its own (SeatWishes), or not at all.
 * What is no port is none here: the gateway says so when it starts.
 */
export function adminPlace(env: NodeJS.ProcessEnv): 'off' | 'beside' | { port: number } {
  if (env['DEJA_ADMIN']?.trim() === 'off') return 'off';
  const given = env['DEJA_ADMIN_PORT']?.trim() ?? '';
  return /^\d+$/.test(given) && Number(given) <= LAST_PORT ? { port: Number(given) } : 'beside';
}

const SECRET_NAME = /KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL/i;

/**
 * What a process that is not the router may know of the launcher's environment: the router alone reads deja.yaml, and with it
 * whatever variables that names. OpenTelemetry's headers are each process's own to send.
 */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return without(env, (name) => (!name.startsWith('OTEL_') && SECRET_NAME.test(name)) || /^DATABASE_URL(_FILE)?$/.test(name));
}

function without(env: NodeJS.ProcessEnv, isLeftOut: (name: string) => boolean): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isLeftOut(name)));
}

/** What the launcher read already and tells each app as a value: with the file beside it an app would not know which one is meant. */
const READ_FROM_FILES: ReadonlySet<string> = new Set(['DEJA_ADMIN_KEY_FILE', 'DEJA_BOOTSTRAP_KEY_FILE', 'REDIS_URL_FILE', 'DATABASE_URL_FILE']);
const OF_QDRANT = ['QDRANT_API_KEY', 'QDRANT_API_KEY_FILE'];

const USES_DATABASE: readonly AppName[] = ['router', 'usage-worker'];

/** What one replica is told: everything for the router, for the others only what they need. */
export function appEnvironment(
  seat: Seat,
  cluster: { env: NodeJS.ProcessEnv; host: string; dataDir: string; redisUrl: string; databaseUrl: string | null; secrets: Secrets },
): NodeJS.ProcessEnv {
  const { secrets } = cluster;
  return {
    ...without(seat.app === 'router' ? cluster.env : withoutSecrets(cluster.env), (name) => READ_FROM_FILES.has(name)),
    HOST: cluster.host,
    ...(seat.port === null ? {} : { PORT: String(seat.port) }),
    ...(seat.adminPort === null ? {} : { DEJA_ADMIN_PORT: String(seat.adminPort) }),
    OPS_PORT: String(seat.opsPort),
    DEJA_INSTANCE: `${seat.app}-${seat.n}`,
    DEJA_DATA_DIR: cluster.dataDir,
    REDIS_URL: cluster.redisUrl,
    ...(cluster.databaseUrl === null || !USES_DATABASE.includes(seat.app) ? {} : { DATABASE_URL: cluster.databaseUrl }),
    ...(seat.app === 'router' ? { DEJA_BOOTSTRAP_KEY: secrets.bootstrapKey, ...secrets.masterKey } : {}),
    ...(seat.app === 'semantic-cache' ? without(cluster.env, (name) => !OF_QDRANT.includes(name)) : {}),
    ...(seat.app === 'gateway' || seat.app === 'router' ? { DEJA_ADMIN_KEY: secrets.adminKey } : {}),
  };
}
