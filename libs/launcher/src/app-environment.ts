import { LauncherError } from './launcher-error.ts';
import { freePort, isFree, nextFreePort } from './port.ts';
import { APPS, type AppName, type Scale } from './scale.ts';
import type { Secrets } from './secrets.ts';

/** Where one replica of an app listens. */
export interface Seat {
  app: AppName;
  /** 1 for the first replica. */
  n: number;
  /** The client API, gateways only. */
  port: number | null;
  opsPort: number;
}

export interface SeatWishes {
  host: string;
  /** Of the first gateway; the next ones follow. 0: any free ports. */
  port: number;
  /** Of the first gateway; the other apps follow, and each further replica is 10 further. 0: any free ports. */
  opsPort: number;
}

const OPS_STEP = 10;

/** A place for every replica. A busy ops port gives way to the next free one; a busy client port is a LauncherError, because clients were told that one. */
export async function assignSeats(scale: Scale, wishes: SeatWishes): Promise<Seat[]> {
  const taken = new Set<number>();
  const claim = async (wish: number): Promise<number> => {
    const port = await nextFreePort(wish === 0 ? await freePort(wishes.host) : wish, wishes.host, taken);
    taken.add(port);
    return port;
  };
  const clientPorts: number[] = [];
  for (let n = 1; n <= scale.gateway; n += 1) {
    const wish = wishes.port === 0 ? 0 : wishes.port + n - 1;
    if (wish !== 0 && !(await isFree(wish, wishes.host))) throw new LauncherError(busySentence(wish, n));
    clientPorts.push(await claim(wish));
  }
  const seats: Seat[] = [];
  for (const [index, app] of APPS.entries()) {
    for (let n = 1; n <= scale[app]; n += 1) {
      const opsPort = await claim(wishes.opsPort === 0 ? 0 : wishes.opsPort + index + OPS_STEP * (n - 1));
      seats.push({ app, n, port: app === 'gateway' ? (clientPorts[n - 1] ?? null) : null, opsPort });
    }
  }
  return seats;
}

function busySentence(port: number, n: number): string {
  const which = n === 1 ? '' : ` (for gateway ${n})`;
  return `Port ${port}${which} is in use by another program: stop that one, or choose another port with PORT=${port + 100} npm start.`;
}

const SECRET_NAME = /KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL/i;

/**
 * What a process that is not the router may know of the launcher's environment: the router alone reads deja.yaml, and with it
 * whatever variables that names. OpenTelemetry's headers are each process's own to send.
 */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => (name.startsWith('OTEL_') || !SECRET_NAME.test(name)) && name !== 'DATABASE_URL'));
}

/** Further gateways listen for the admin API on the ports that follow, as for clients; 0 is any free one for each. */
function adminPort({ DEJA_ADMIN_PORT: given = '' }: NodeJS.ProcessEnv, n: number): NodeJS.ProcessEnv {
  const first = Number(given);
  return /^\d+$/.test(given) && first > 0 ? { DEJA_ADMIN_PORT: String(first + n - 1) } : {};
}

const USES_DATABASE: readonly AppName[] = ['router', 'usage-worker'];

/** What one replica is told: everything for the router, for the others only what they need. */
export function appEnvironment(
  seat: Seat,
  cluster: { env: NodeJS.ProcessEnv; host: string; dataDir: string; redisUrl: string; databaseUrl: string | null; secrets: Secrets },
): NodeJS.ProcessEnv {
  const { secrets } = cluster;
  return {
    ...(seat.app === 'router' ? cluster.env : withoutSecrets(cluster.env)),
    HOST: cluster.host,
    ...(seat.port === null ? {} : { PORT: String(seat.port) }),
    ...(seat.app === 'gateway' ? adminPort(cluster.env, seat.n) : {}),
    OPS_PORT: String(seat.opsPort),
    DEJA_INSTANCE: `${seat.app}-${seat.n}`,
    DEJA_DATA_DIR: cluster.dataDir,
    REDIS_URL: cluster.redisUrl,
    ...(cluster.databaseUrl === null || !USES_DATABASE.includes(seat.app) ? {} : { DATABASE_URL: cluster.databaseUrl }),
    ...(seat.app === 'router' ? { DEJA_BOOTSTRAP_KEY: secrets.bootstrapKey, ...secrets.masterKey } : {}),
    ...(seat.app === 'gateway' || seat.app === 'router' ? { DEJA_ADMIN_KEY: secrets.adminKey } : {}),
  };
}
