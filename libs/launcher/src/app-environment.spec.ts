import { createServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { adminPlace, appEnvironment, assignSeats } from './app-environment.ts';
import { freePortPair } from '../test/free-ports.ts';
import { freePort } from './port.ts';

const HOST = '127.0.0.1';

async function whileBusy<T>(port: number, work: () => Promise<T>): Promise<T> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  try {
    return await work();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test('further gateways listen on the next ports, further ops ports lie ten apart, and no port is given twice', async () => {
  const port = await freePortPair();
  const seats = await assignSeats({ gateway: 2, router: 2, 'semantic-cache': 1, 'usage-worker': 1 }, { host: HOST, port, adminPort: null, opsPort: 0 });
  expect(seats.map(({ app, n }) => `${app}-${n}`)).toEqual(['gateway-1', 'gateway-2', 'router-1', 'router-2', 'semantic-cache-1', 'usage-worker-1']);
  expect(seats.map((seat) => seat.port)).toEqual([port, port + 1, null, null, null, null]);
  const all = seats.flatMap((seat) => (seat.port === null ? [seat.opsPort] : [seat.port, seat.opsPort]));
  expect(new Set(all).size).toBe(all.length);
});

test('a busy ops port gives way to a free one', async () => {
  const opsPort = await freePort();
  const seats = await whileBusy(opsPort, () => assignSeats({ gateway: 1, router: 0, 'semantic-cache': 0, 'usage-worker': 0 }, { host: HOST, port: 0, adminPort: null, opsPort }));
  expect(seats[0]!.opsPort).toBeGreaterThan(opsPort);
});

test('a busy client port is one sentence with the port and the way out', async () => {
  const port = await freePort();
  const seats = whileBusy(port, () => assignSeats({ gateway: 1, router: 1, 'semantic-cache': 1, 'usage-worker': 1 }, { host: HOST, port, adminPort: null, opsPort: 0 }));
  await expect(seats).rejects.toThrow(`Port ${port} is in use by another program: stop that one, or choose another port with PORT=${port + 100} npm start.`);
});

describe('the admin API', () => {
  const TWO = { gateway: 2, router: 1, 'semantic-cache': 0, 'usage-worker': 0 };
  const cluster = { env: { DEJA_ADMIN_PORT: ' 3100 ' }, host: HOST, dataDir: '/data', redisUrl: 'redis://r', databaseUrl: null, secrets: { adminKey: 'admin', bootstrapKey: 'boot', masterKey: { DEJA_MASTER_KEY: 'm' }, adminKeyFile: '/a' } };

  test('has a port of its own at every gateway where it was given one, in order, and nowhere else', async () => {
    const adminPort = await freePortPair();
    const seats = await assignSeats(TWO, { host: HOST, port: 0, adminPort, opsPort: 0 });
    expect(seats.map((seat) => seat.adminPort)).toEqual([adminPort, adminPort + 1, null]);
    expect(seats.slice(0, 2).map((seat) => appEnvironment(seat, cluster)['DEJA_ADMIN_PORT'])).toEqual([String(adminPort), String(adminPort + 1)]);
    expect(new Set((await assignSeats(TWO, { host: HOST, port: 0, adminPort: 0, opsPort: 0 })).flatMap((seat) => seat.adminPort ?? [])).size).toBe(2);
  });

  test('where its port is busy, or one of the clients’, there is one sentence with the way out', async () => {
    const adminPort = await freePort();
    const busy = whileBusy(adminPort, () => assignSeats(TWO, { host: HOST, port: 0, adminPort, opsPort: 0 }));
    await expect(busy).rejects.toThrow(`Port ${adminPort} for the admin API is in use by another program: stop that one, or choose another port with DEJA_ADMIN_PORT=${adminPort + 100} npm start.`);
    const port = await freePort();
    await expect(assignSeats(TWO, { host: HOST, port, adminPort: port + 1, opsPort: 0 })).rejects.toThrow(`Port ${port + 1} for the admin API (for gateway 1) is one of those for clients: choose another port with DEJA_ADMIN_PORT=${port + 101} npm start.`);
    await expect(assignSeats(TWO, { host: HOST, port: 0, adminPort: 65_535, opsPort: 0 })).rejects.toThrow('DEJA_ADMIN_PORT=65535 leaves no port for gateway 2: choose a lower one.');
  });

  test.each<[NodeJS.ProcessEnv, ReturnType<typeof adminPlace>]>([
    [{}, 'beside'], [{ DEJA_ADMIN_PORT: ' 3100 ' }, { port: 3100 }], [{ DEJA_ADMIN_PORT: '0' }, { port: 0 }], [{ DEJA_ADMIN: 'off', DEJA_ADMIN_PORT: '3100' }, 'off'], [{ DEJA_ADMIN: 'on', DEJA_ADMIN_PORT: '' }, 'beside'],
  ])('with %j is where the gateways put it', (env, place) => expect(adminPlace(env)).toEqual(place));

  test('what is no port reaches the gateway as it is, which says so', () => {
    for (const given of ['x', '65536', '-1']) {
      expect(adminPlace({ DEJA_ADMIN_PORT: given })).toBe('beside');
      expect(appEnvironment({ app: 'gateway', n: 1, port: 1, adminPort: null, opsPort: 2 }, { ...cluster, env: { DEJA_ADMIN_PORT: given } })['DEJA_ADMIN_PORT']).toBe(given);
    }
  });
});

test('a provider key and the database reach only the process that uses them', () => {
  const cluster = {
    env: { PATH: '/bin', OPENAI_API_KEY: 'sk-provider', ANTHROPIC_API_KEY: 'sk-other', DATABASE_URL: 'postgres://a:b@c/d', OTEL_EXPORTER_OTLP_HEADERS: 'x=y' },
    host: HOST, dataDir: '/data', redisUrl: 'redis://r', databaseUrl: 'postgres://u:p@h/d',
    secrets: { adminKey: 'admin', bootstrapKey: 'boot', masterKey: { DEJA_MASTER_KEY_FILE: '/f' }, adminKeyFile: '/a' },
  };
  const told = (app: 'gateway' | 'router' | 'semantic-cache' | 'usage-worker'): NodeJS.ProcessEnv => appEnvironment({ app, n: 1, port: null, adminPort: null, opsPort: 1 }, cluster as unknown as Parameters<typeof appEnvironment>[1]);
  expect(told('router')).toMatchObject({ OPENAI_API_KEY: 'sk-provider', DATABASE_URL: 'postgres://u:p@h/d', DEJA_BOOTSTRAP_KEY: 'boot' });
  for (const app of ['gateway', 'semantic-cache', 'usage-worker'] as const) {
    expect(JSON.stringify(told(app))).not.toMatch(/sk-provider|sk-other|boot|DEJA_MASTER/);
    expect(told(app)).toMatchObject({ PATH: '/bin', OTEL_EXPORTER_OTLP_HEADERS: 'x=y' });
  }
  expect(told('gateway')['DATABASE_URL']).toBeUndefined();
  expect(told('usage-worker')['DATABASE_URL']).toBe('postgres://u:p@h/d');
});

test('a secret in a file reaches whoever uses it once: as its value where the launcher needs it too, else by its file', () => {
  const names = ['DEJA_ADMIN_KEY', 'DEJA_BOOTSTRAP_KEY', 'DEJA_MASTER_KEY', 'DATABASE_URL', 'REDIS_URL', 'CACHE_REDIS_URL', 'QDRANT_API_KEY', 'OPENAI_API_KEY'];
  const cluster = {
    env: Object.fromEntries(names.map((name) => [`${name}_FILE`, `/run/secrets/${name}`])), host: HOST, dataDir: '/data', redisUrl: 'redis://r', databaseUrl: 'postgres://u:p@h/d',
    secrets: { adminKey: 'admin', bootstrapKey: 'boot', masterKey: { DEJA_MASTER_KEY_FILE: '/m' }, adminKeyFile: '/a' },
  };
  const told = (app: 'gateway' | 'router' | 'semantic-cache' | 'usage-worker'): string[] => {
    const env = appEnvironment({ app, n: 1, port: null, adminPort: null, opsPort: 1 }, cluster);
    return Object.keys(env).filter((name) => names.includes(name.replace(/_FILE$/, ''))).sort();
  };
  expect(told('router')).toEqual(['CACHE_REDIS_URL_FILE', 'DATABASE_URL', 'DEJA_ADMIN_KEY', 'DEJA_BOOTSTRAP_KEY', 'DEJA_MASTER_KEY_FILE', 'OPENAI_API_KEY_FILE', 'QDRANT_API_KEY_FILE', 'REDIS_URL']);
  expect(told('gateway')).toEqual(['CACHE_REDIS_URL_FILE', 'DEJA_ADMIN_KEY', 'REDIS_URL']);
  expect(told('semantic-cache')).toEqual(['CACHE_REDIS_URL_FILE', 'QDRANT_API_KEY_FILE', 'REDIS_URL']);
  expect(told('usage-worker')).toEqual(['CACHE_REDIS_URL_FILE', 'DATABASE_URL', 'REDIS_URL']);
});
