import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import type { ClusterOptions } from './cluster-options.ts';
import { startCluster, type Cluster } from './cluster.ts';
import type { OutputLine } from './output.ts';
import { poll } from './poll.ts';
import { freePort } from './port.ts';
import { isAlive, processIdentity } from './process-identity.ts';
import { ping } from './redis-server.ts';
import { freePortPair } from '../test/free-ports.ts';
import { ownDirectory } from '../test/own-directory.ts';

const DEADLINE_MS = 20_000;

/** Does what the launcher expects of an app, and says what it sees. */
const STAND_IN = `
import { createServer } from 'node:http';
const { HOST, PORT, OPS_PORT, DEJA_INSTANCE, DEJA_DATA_DIR, REDIS_URL, DATABASE_URL = '', FAILS = '', NEVER_READY = '' } = process.env;
if (DEJA_INSTANCE === FAILS) { console.error('deja.yaml:3:1: models must be a list'); process.exit(1); }
const ready = DEJA_INSTANCE !== NEVER_READY;
createServer((request, response) => { response.statusCode = request.url !== '/readyz' || ready ? 200 : 503; response.end(JSON.stringify({ ready, checks: { database: ready } })); }).listen(Number(OPS_PORT), HOST);
if (PORT) createServer((_request, response) => response.end(DEJA_INSTANCE)).listen(Number(PORT), HOST);
console.log(JSON.stringify({ app: 'stand-in', DEJA_DATA_DIR, REDIS_URL, DATABASE_URL, keys: [process.env.DEJA_ADMIN_KEY, process.env.DEJA_BOOTSTRAP_KEY, process.env.DEJA_MASTER_KEY_FILE].every(Boolean) }));
process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });
`;

const clusters: Cluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop({ force: true })));
});

interface Started {
  dataDir: string;
  lines: OutputLine[];
  options: ClusterOptions;
}

async function prepare(more: Partial<ClusterOptions> = {}): Promise<Started> {
  const dataDir = await ownDirectory();
  const program = join(dataDir, 'stand-in.mjs');
  await writeFile(program, STAND_IN);
  const lines: OutputLine[] = [];
  const options: ClusterOptions = {
    dataDir,
    port: 0,
    opsPort: 0,
    env: { PATH: process.env['PATH'] },
    databaseUrl: 'postgres://nobody@127.0.0.1:1/none',
    output: (line) => lines.push(line),
    program: () => ({ command: process.execPath, args: [program] }),
    backoff: { firstMs: 10, maxMs: 100, forgetAfterMs: 60_000 },
    readyMs: DEADLINE_MS,
    ...more,
  };
  return { dataDir, lines, options };
}

async function start(more: Partial<ClusterOptions> = {}): Promise<Started & { cluster: Cluster }> {
  const prepared = await prepare(more);
  const cluster = await startCluster(prepared.options);
  clusters.push(cluster);
  return { ...prepared, cluster };
}

interface Ready {
  base_url: string;
  admin_url: string | null;
  key: string;
  admin_key_file: string;
  redis_url: string;
  database_url: string;
  apps: { app: string; n: number; pid: number; port?: number; admin_port?: number; ops_port: number }[];
}
const readyFile = async (dataDir: string): Promise<Ready> => JSON.parse(await readFile(join(dataDir, 'run', 'ready.json'), 'utf8')) as Ready;
const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);
const texts = (lines: OutputLine[], from: string): string[] => lines.filter((line) => line.from === from).map(({ text }) => text);

test('ready.json and the pid files name every process while the cluster runs, for the owner only, and go when it stops', async () => {
  const { cluster, dataDir } = await start({ scale: { gateway: 2 } });
  const ready = await readyFile(dataDir);
  expect(ready).toEqual({
    base_url: cluster.baseUrl,
    admin_url: cluster.baseUrl,
    key: expect.stringMatching(/^sk-deja-/),
    admin_key_file: join(dataDir, 'secrets', 'admin-key'),
    redis_url: cluster.redisUrl,
    database_url: 'postgres://nobody@127.0.0.1:1/none',
    apps: cluster.apps.map(({ app, n, pid, port, opsPort }) => ({ app, n, pid, ...(port === null ? {} : { port }), ops_port: opsPort })),
  });
  expect(ready.apps.map(({ app, n }) => `${app}-${n}`)).toEqual(['gateway-1', 'gateway-2', 'router-1', 'semantic-cache-1', 'usage-worker-1']);
  expect((await stat(join(dataDir, 'run', 'ready.json'))).mode & 0o777).toBe(0o600);
  for (const { app, n, pid } of ready.apps) expect(await readFile(join(dataDir, 'run', `${app}-${n}.pid`), 'utf8')).toBe(`${pid}\n`);
  expect(await (await fetch(cluster.baseUrls[1]!)).text()).toBe('gateway-2');

  await cluster.stop();
  for (const name of ['ready.json', 'gateway-1.pid', 'redis.pid', 'processes.json', 'launcher.lock']) expect(await exists(join(dataDir, 'run', name))).toBe(false);
});

test('ready.json names where the admin API is: at the first gateway, on its own port where it has one, and nowhere when it is switched off', async () => {
  const adminPort = await freePortPair();
  const env = { PATH: process.env['PATH'], DEJA_ADMIN_PORT: String(adminPort) };
  const own = await start({ scale: { gateway: 2 }, apps: ['gateway'], env });
  const ready = await readyFile(own.dataDir);
  expect([ready.admin_url, ready.apps.map((app) => app.admin_port)]).toEqual([`http://127.0.0.1:${adminPort}`, [adminPort, adminPort + 1]]);
  const off = await start({ apps: ['gateway'], env: { ...env, DEJA_ADMIN: 'off' } });
  expect(await readyFile(off.dataDir)).toMatchObject({ admin_url: null, base_url: off.cluster.baseUrl });
});

test('an app that is killed comes back, and ready.json follows', async () => {
  const { cluster, dataDir, lines } = await start({ apps: ['gateway', 'router'] });
  const before = cluster.pid('router');
  expect(cluster.kill('router')).toBe(true);
  const now = await poll(async () => (await readyFile(dataDir)).apps.find(({ app, pid }) => app === 'router' && pid !== before && pid === cluster.pid('router')) ?? null, { deadlineMs: DEADLINE_MS });
  expect(now).not.toBeNull();
  await cluster.waitReady();
  expect(texts(lines, 'launcher')).toContainEqual(expect.stringMatching(/^router-1 died \(SIGKILL\); starting it again in 10 ms$/));
});

test('a suspended app stays away until it is resumed', async () => {
  const { cluster } = await start({ apps: ['gateway', 'semantic-cache'] });
  await cluster.suspend('semantic-cache');
  expect(cluster.pid('semantic-cache')).toBeNull();
  await cluster.waitReady(); // the others
  await cluster.resume('semantic-cache');
  await cluster.waitReady();
  expect(cluster.pid('semantic-cache')).not.toBeNull();
});

test('gateways drain before the other apps, and Redis stays until the end', async () => {
  const { cluster, lines } = await start();
  await cluster.stop();
  const drained = lines.filter(({ text }) => text === 'drained').map(({ from }) => from);
  expect(drained[0]).toBe('gateway-1');
  expect(drained).toHaveLength(4);
  expect(await ping(Number(new URL(cluster.redisUrl).port))).toBeNull();
});

test('every app is told where things are, and gets the secrets that it needs', async () => {
  const { cluster, dataDir, lines } = await start({ apps: ['router'] });
  const told: unknown = JSON.parse(texts(lines, 'router-1')[0]!);
  expect(told).toEqual({ app: 'stand-in', DEJA_DATA_DIR: dataDir, REDIS_URL: cluster.redisUrl, DATABASE_URL: cluster.databaseUrl, keys: true });
});

test('one replica may be told otherwise than the others', async () => {
  const { lines } = await start({ scale: { gateway: 2 }, apps: ['gateway'], tell: ({ n }, env) => (n === 2 ? { ...env, REDIS_URL: 'redis://elsewhere' } : env) });
  const told = [1, 2].map((n) => (JSON.parse(texts(lines, `gateway-${n}`)[0]!) as { REDIS_URL: string }).REDIS_URL);
  expect([told[0] === 'redis://elsewhere', told[1]]).toEqual([false, 'redis://elsewhere']);
});

test('a mistake that an app finds ends the start with the app’s own sentence, and nothing keeps running', async () => {
  const { dataDir, options } = await prepare({ env: { PATH: process.env['PATH'], FAILS: 'router-1' } });
  await expect(startCluster(options)).rejects.toThrow('router-1 did not start (exit code 1): deja.yaml:3:1: models must be a list');
  expect(await exists(join(dataDir, 'run', 'gateway-1.pid'))).toBe(false);
  expect(await exists(join(dataDir, 'run', 'redis.pid'))).toBe(false);
});

test('an app that never gets ready ends the start with what it lacks', async () => {
  const { options } = await prepare({ apps: ['gateway', 'router'], env: { PATH: process.env['PATH'], NEVER_READY: 'router-1' }, readyMs: 3_000 });
  await expect(startCluster(options)).rejects.toThrow('router-1 is not ready after 3 s: {"ready":false,"checks":{"database":false}}');
});

test('a start can be interrupted, and leaves nothing running', async () => {
  const { dataDir, options } = await prepare({ env: { PATH: process.env['PATH'], NEVER_READY: 'router-1' } });
  const starting = startCluster(options, { onMade: (cluster) => void setImmediate(() => void cluster.stop()) });
  await expect(starting).rejects.toThrow('The start was interrupted.');
  expect(await exists(join(dataDir, 'run', 'redis.pid'))).toBe(false);
  expect(await exists(join(dataDir, 'run', 'launcher.lock'))).toBe(false);
});

test('a start that is interrupted before it has begun starts nothing', async () => {
  const { dataDir, options, lines } = await prepare();
  await expect(startCluster(options, { onMade: (cluster) => void cluster.stop() })).rejects.toThrow('The start was interrupted.');
  expect(lines).toEqual([]);
  expect(await exists(join(dataDir, 'run', 'launcher.lock'))).toBe(false);
  expect(await exists(join(dataDir, 'redis'))).toBe(false);
});

test('a second launcher on the same data directory is refused and disturbs nothing', async () => {
  const { cluster, options } = await start({ apps: ['gateway'] });
  await expect(startCluster(options)).rejects.toThrow(`(process ${process.pid})`);
  expect(cluster.pid('gateway')).not.toBeNull();
});

test('a client port in use is one sentence, before anything is started', async () => {
  const { cluster } = await start({ apps: ['gateway'] });
  const port = cluster.apps[0]!.port!;
  const { options, lines } = await prepare({ port });
  await expect(startCluster(options)).rejects.toThrow(`Port ${port} is in use`);
  expect(lines).toEqual([]);
});

test('a Redis of somebody else is used, and not stopped', async () => {
  const other = await start({ apps: ['gateway'] });
  const { cluster } = await start({ apps: ['gateway'], redisUrl: other.cluster.redisUrl });
  await cluster.stop();
  expect(await ping(Number(new URL(other.cluster.redisUrl).port))).toBe('PONG');
});

test('what a killed launcher left running is ended by the next start on that data directory', async () => {
  const { dataDir, options } = await prepare({ apps: ['gateway', 'router'] });
  const { spawn } = await import('node:child_process');
  const port = await freePort();
  const script = `import { startCluster } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    await startCluster({ ...${JSON.stringify({ ...options, port })}, program: () => ({ command: process.execPath, args: [${JSON.stringify(join(dataDir, 'stand-in.mjs'))}] }) });`;
  const launcher = spawn(process.execPath, ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script], { stdio: 'ignore' });
  const left = await poll(() => readyFile(dataDir).catch(() => null), { deadlineMs: DEADLINE_MS });
  const known = await Promise.all(left!.apps.map(async ({ pid }) => ({ pid, identity: (await processIdentity(pid))! })));
  launcher.kill('SIGKILL');

  // The gateway's port is the same: it is free only once the leftover is gone.
  const cluster = await poll(() => startCluster({ ...options, port }).catch((error: Error) => (error.message.includes('already runs') ? null : Promise.reject(error))), { deadlineMs: DEADLINE_MS });
  clusters.push(cluster!);
  for (const one of known) expect(await isAlive(one)).toBe(false);
  expect(cluster!.redisUrl).not.toBe(left!.redis_url);
});
