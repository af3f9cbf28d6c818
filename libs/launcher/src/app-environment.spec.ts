import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { appEnvironment, assignSeats } from './app-environment.ts';
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
  const port = await freePort();
  const seats = await assignSeats({ gateway: 2, router: 2, 'semantic-cache': 1, 'usage-worker': 1 }, { host: HOST, port, opsPort: 0 });
  expect(seats.map(({ app, n }) => `${app}-${n}`)).toEqual(['gateway-1', 'gateway-2', 'router-1', 'router-2', 'semantic-cache-1', 'usage-worker-1']);
  expect(seats.map((seat) => seat.port)).toEqual([port, port + 1, null, null, null, null]);
  const all = seats.flatMap((seat) => (seat.port === null ? [seat.opsPort] : [seat.port, seat.opsPort]));
  expect(new Set(all).size).toBe(all.length);
});

test('a busy ops port gives way to a free one', async () => {
  const opsPort = await freePort();
  const seats = await whileBusy(opsPort, () => assignSeats({ gateway: 1, router: 0, 'semantic-cache': 0, 'usage-worker': 0 }, { host: HOST, port: 0, opsPort }));
  expect(seats[0]!.opsPort).toBeGreaterThan(opsPort);
});

test('a busy client port is one sentence with the port and the way out', async () => {
  const port = await freePort();
  const seats = whileBusy(port, () => assignSeats({ gateway: 1, router: 1, 'semantic-cache': 1, 'usage-worker': 1 }, { host: HOST, port, opsPort: 0 }));
  await expect(seats).rejects.toThrow(`Port ${port} is in use by another program: stop that one, or choose another port with PORT=${port + 100} npm start.`);
});

test('further gateways take the next ports for the admin API too', () => {
  const cluster = { host: HOST, dataDir: '/data', redisUrl: 'redis://r', databaseUrl: null, secrets: { adminKey: 'admin', bootstrapKey: 'boot', masterKey: {}, adminKeyFile: '/a' } };
  const told = (n: number, given: string): string | undefined =>
    appEnvironment({ app: 'gateway', n, port: null, opsPort: 1 }, { ...cluster, env: { DEJA_ADMIN_PORT: given } } as unknown as Parameters<typeof appEnvironment>[1])['DEJA_ADMIN_PORT'];
  expect([told(1, '3100'), told(2, '3100'), told(2, '0'), told(1, 'x')]).toEqual(['3100', '3101', '0', 'x']);
});

test('a provider key and the database reach only the process that uses them', () => {
  const cluster = {
    env: { PATH: '/bin', OPENAI_API_KEY: 'sk-provider', ANTHROPIC_API_KEY: 'sk-other', DATABASE_URL: 'postgres://a:b@c/d', OTEL_EXPORTER_OTLP_HEADERS: 'x=y' },
    host: HOST, dataDir: '/data', redisUrl: 'redis://r', databaseUrl: 'postgres://u:p@h/d',
    secrets: { adminKey: 'admin', bootstrapKey: 'boot', masterKey: { DEJA_MASTER_KEY_FILE: '/f' }, adminKeyFile: '/a' },
  };
  const told = (app: 'gateway' | 'router' | 'semantic-cache' | 'usage-worker'): NodeJS.ProcessEnv => appEnvironment({ app, n: 1, port: null, opsPort: 1 }, cluster as unknown as Parameters<typeof appEnvironment>[1]);
  expect(told('router')).toMatchObject({ OPENAI_API_KEY: 'sk-provider', DATABASE_URL: 'postgres://u:p@h/d', DEJA_BOOTSTRAP_KEY: 'boot' });
  for (const app of ['gateway', 'semantic-cache', 'usage-worker'] as const) {
    expect(JSON.stringify(told(app))).not.toMatch(/sk-provider|sk-other|boot|DEJA_MASTER/);
    expect(told(app)).toMatchObject({ PATH: '/bin', OTEL_EXPORTER_OTLP_HEADERS: 'x=y' });
  }
  expect(told('gateway')['DATABASE_URL']).toBeUndefined();
  expect(told('usage-worker')['DATABASE_URL']).toBe('postgres://u:p@h/d');
});
