import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startCluster, temporaryDirectory, type Cluster } from '@deja/launcher';
import { fakeProvider, RedisProcess, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { AdminClient } from './admin-client.ts';
import { billedAnswer, BilledTraffic, type TokenPrice } from './billed-traffic.ts';
import { chat, eventually, operationRow, post } from './client.ts';
import { everyView, invoiceLines } from './ledger-views.ts';
import { OtherPostgres, postgresPrograms } from './postgres-programs.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

const run = promisify(execFile);
const script = (name: string): string => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url));
const PRICE: TokenPrice = { input_usd_per_million: 0.137, cached_input_usd_per_million: 0.0371, output_usd_per_million: 0.5903 };
const RUN_MS = 120_000;
const random = (): string => randomBytes(18).toString('hex');

let provider: FakeProvider;
let receiver: WebhookReceiver;
const configuration = (): object => ({
  providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [] } },
  models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
  outbound: { allow: ['127.0.0.1'] },
  prices: { priced: PRICE },
  capture: 'full',
});

beforeAll(async () => {
  [provider, receiver] = await Promise.all([fakeProvider(), WebhookReceiver.start()]);
  provider.otherwise(billedAnswer(provider));
});
afterAll(async () => {
  await Promise.all([provider?.close(), receiver?.close()]);
});

type Way = Pick<TestCluster, 'url' | 'key'>;
const statusBy = async ({ url }: Pick<TestCluster, 'url'>, key: string): Promise<number> => (await post({ url, key }, chat(`Is ${random()} new?`, { model: 'priced' }))).status;
/** The value with which the provider was asked last. */
const usedLast = (): string | null | undefined => provider.requests.at(-1)?.credential;
const captured = (cluster: TestCluster, id: string): Promise<unknown> =>
  eventually('what was captured', async () => (await new AdminClient(cluster).done('GET', `requests/${id}`))['captured']);
const listed = async (cluster: TestCluster, path: string): Promise<unknown> => (await new AdminClient(cluster).done('GET', path)).data;

const programs = await postgresPrograms();
if (programs === null) process.stderr.write('backup.sh and restore.sh are not tried: there is no Postgres here that has pg_dump and pg_restore.\n');

(programs === null ? describe.skip : describe)('a cluster that is backed up, lost and restored', () => {
  const secrets = { DEJA_MASTER_KEY: `main:${randomBytes(32).toString('base64')}`, DEJA_BOOTSTRAP_KEY: `sk-deja-${random()}`, DEJA_ADMIN_KEY: `deja-admin-${random()}` };
  const value = `sk-of-the-vault-${random()}`;
  const keys = { kept: '', other: '', revoked: '', former: '', deleted: '' };
  let folder: string;
  let postgres: OtherPostgres;
  let cluster: TestCluster;
  let admin: AdminClient;
  let traffic: BilledTraffic;
  let body = '';
  /** What operators see of it all, before and after. */
  const seen = async (of: TestCluster): Promise<Record<string, unknown>> => ({
    figures: await everyView(of, new AdminClient(of), 'acme'),
    invoice: await invoiceLines(new AdminClient(of), 'acme'),
    body: await captured(of, body),
    budgets: await listed(of, 'budgets?tenant=acme'),
    ...Object.fromEntries(await Promise.all(['audit', 'tenants', 'keys', 'credentials', 'alerts', 'alerts/silences', 'admin-tokens'].map(async (path) => [path, await listed(of, path)] as const))),
  });

  let folders = 0;
  /** The new backup's folder, in a folder of its own unless one is given. */
  const backUp = async (into = join(folder, String(folders++)), ...options: string[]): Promise<string> => (await run(script('backup.sh'), [...options, into], { env: toolsFor(cluster.databaseUrl) })).stdout.trim();
  const restore = (backup: string, url: string): Promise<{ stdout: string; stderr: string }> => run(script('restore.sh'), [backup], { env: toolsFor(url) });
  const toolsFor = (url: string): NodeJS.ProcessEnv => ({ PATH: `${programs}:${process.env['PATH']}`, DATABASE_URL: url });
  /** The tools in another place, as in a container: what they are to know stands there. */
  const toolsElsewhere = (url: string): NodeJS.ProcessEnv => {
    const { hostname, port, username, password, pathname } = new URL(url);
    const there = { PATH: `${programs}:/usr/bin:/bin`, PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: password, PGDATABASE: pathname.slice(1) };
    return { PATH: process.env['PATH'], DEJA_PG: `env -i ${Object.entries(there).map((pair) => pair.join('=')).join(' ')}` };
  };
  const start = (databaseUrl: string, config = configuration()): Promise<TestCluster> => testCluster({ config, databaseUrl, env: secrets });

  beforeAll(async () => {
    [folder, postgres] = await Promise.all([temporaryDirectory('deja-backups-'), OtherPostgres.start(programs ?? '')]);
    cluster = await start(await postgres.database('deja'));
    admin = new AdminClient(cluster);
    await fill();
  }, RUN_MS);
  afterAll(async () => {
    await cluster?.stop();
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Something of everything that only Postgres has. */
  async function fill(): Promise<void> {
    const { id: credential } = await admin.create({ provider: 'fake', name: 'main', value: `sk-former-${random()}` });
    await admin.done('POST', `credentials/${credential}/rotate`, { value, grace_s: 0 });
    const key = async (tenant: string): Promise<[id: string, key: string]> => {
      const made = await admin.done('POST', 'keys', { tenant, name: 'k' });
      return [String(made['id']), String(made['key'])];
    };
    for (const id of ['acme', 'gone']) await admin.done('POST', 'tenants', { id, budgets: [{ usd: '5', period: 'total' }] });
    const [[, kept], [other, former], [revoked, wasRevoked], [, deleted]] = await Promise.all([key('acme'), key('acme'), key('acme'), key('gone')]);
    Object.assign(keys, { kept, former, revoked: wasRevoked, deleted });
    keys.other = String((await admin.done('POST', `keys/${other}/rotate`, { grace_s: 0 }))['key']);
    await eventually('the credential in use', async () => (await statusBy(cluster, deleted)) === 200 && usedLast() === value);
    await admin.done('DELETE', `keys/${revoked}`);
    await admin.done('DELETE', 'tenants/gone');
    const [bootstrap] = (await listed(cluster, 'keys?tenant=default')) as { id: string }[];
    await admin.done('DELETE', `keys/${bootstrap?.id}`);
    await admin.done('POST', 'admin-tokens', { name: 'of the backup', role: 'viewer', tenant: 'acme' });
    await admin.done('POST', 'alerts', { name: 'kept', when: { metric: 'error_rate' }, notify: [{ webhook: receiver.url('hook'), secret: 'signed' }] });
    await admin.done('POST', 'alerts/silences', { alert: 'kept', ends_at: '2999-01-01T00:00:00Z' });
    traffic = new BilledTraffic(cluster, [keys.kept, keys.other]);
    await traffic.everyKind(PRICE);
    body = traffic.ids[0] ?? '';
    await traffic.recorded();
    await captured(cluster, body);
  }

  test('a backup that is made under load is of one moment: it restores to the figures it was made with, and its sums are those of its rows', async () => {
    let over = false;
    const asking = (async () => {
      while (!over) await traffic.miss(PRICE);
    })();
    const backup = await backUp().finally(() => (over = true));
    await asking;
    const { stdout, stderr } = await restore(backup, await postgres.database('under-load'));
    expect(stdout).toMatch(/^restored: \d+ tables with as many rows as then, and the same sums of money\n$/);
    expect(stderr).toContain('the routers need these master keys: main\n');
    const sums = `select (select count(*) from usage.operations) = (select sum(requests) from usage.rollup_days r join usage.series s on s.id = r.series where s.cube = 'all') as requests,
      (select sum(cost_nano_usd) from usage.operations) = (select sum(cost_nano_usd) from usage.rollup_days r join usage.series s on s.id = r.series where s.cube = 'all') as cost`;
    expect(await postgres.query('under-load', sums)).toEqual([{ requests: true, cost: true }]);
    await traffic.recorded();
  }, RUN_MS);

  test('a backup is for its owner alone, names what it needs, can leave bodies out, and only the latest are kept', async () => {
    const own = join(folder, 'kept');
    const full = await backUp(own);
    expect((await readdir(full)).toSorted()).toEqual(['SHA256SUMS', 'about.txt', 'database.dump', 'figures.tsv']);
    const about = await readFile(join(full, 'about.txt'), 'utf8');
    expect(about).toMatch(/^taken_at=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\nbodies=true\nmaster_keys=main\nserver=\d+.*\ntool=pg_dump.*\n$/);
    expect((await run('find', [own, '-perm', '/077'])).stdout).toBe('');
    const config = join(folder, 'deja.yaml');
    await writeFile(config, '# of mine');
    const second = (): string => `deja-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
    await eventually('another second, after which the next backup is named', () => !full.endsWith(second()));
    const slim = await backUp(own, '--without-bodies', '--config', config, '--keep', '1');
    expect(await readFile(join(slim, 'deja.yaml'), 'utf8')).toBe('# of mine');
    expect(await readdir(own)).toEqual([slim.split('/').at(-1)]);
    await run(script('restore.sh'), [slim], { env: toolsElsewhere(await postgres.database('slim')) });
    expect((await run(script('backup.sh'), [join(folder, 'elsewhere')], { env: toolsElsewhere(postgres.url('slim')) })).stdout).toContain(join(folder, 'elsewhere', 'deja-'));
    expect(await postgres.query('slim', 'select count(*)::int from usage.captures')).toEqual([{ count: 0 }]);
    expect(await postgres.query('slim', 'select count(*) > 0 as some from usage.operations')).toEqual([{ some: true }]);
  }, RUN_MS);

  test('a restore touches no database that has something of deja, and takes no backup that was changed', async () => {
    const backup = await backUp();
    await expect(restore(backup, cluster.databaseUrl)).rejects.toMatchObject({ stderr: expect.stringMatching(/^restore\.sh: this database has the schema router, usage already: restore into a new one/) });
    await cp(backup, join(folder, 'changed'), { recursive: true });
    await appendFile(join(folder, 'changed', 'figures.tsv'), 'more\n');
    await expect(restore(join(folder, 'changed'), await postgres.database('empty'))).rejects.toMatchObject({ stderr: expect.stringMatching(/^restore\.sh: .* is not as it was written$/m) });
    expect(await postgres.query('empty', "select nspname from pg_namespace where nspname in ('router', 'usage')")).toEqual([]);
  }, RUN_MS);

  test('with another Postgres, an empty Redis and new disks all of it is there again: keys, credentials, ledger, invoices, bodies, audit, alerts, budgets; what was revoked stays revoked, and what comes is added to what was there', async () => {
    const before = await seen(cluster);
    const backup = await backUp();
    await cluster.stop();
    await postgres.stop();
    postgres = await OtherPostgres.start(programs ?? '');
    const url = await postgres.database('restored');
    await restore(backup, url);
    cluster = await start(url);
    admin = new AdminClient(cluster);
    expect(await seen(cluster)).toEqual(before);

    expect(await Promise.all([keys.kept, keys.other].map((key) => statusBy(cluster, key)))).toEqual([200, 200]);
    expect(usedLast()).toBe(value);
    expect(await Promise.all([keys.revoked, keys.former, keys.deleted, secrets.DEJA_BOOTSTRAP_KEY].map((key) => statusBy(cluster, key)))).toEqual([401, 401, 401, 401]);
    expect((await admin.call('POST', 'tenants', { id: 'gone' })).status).toBe(409);
    const [rule] = (await listed(cluster, 'alerts')) as { id: string }[];
    expect(await admin.done('POST', `alerts/${rule?.id}/test`)).toMatchObject({ deliveries: [{ state: 'delivered' }] });
    expect(receiver.received.at(-1)?.signature).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);

    const spent = async (): Promise<string> => ((await listed(cluster, 'budgets?tenant=acme')) as { spent_usd: string }[])[0]?.spent_usd ?? '';
    const further = new BilledTraffic(cluster, [keys.kept]);
    const spentBefore = await spent();
    await further.miss(PRICE);
    await further.recorded();
    await eventually('more spent', async () => Number(await spent()) > Number(spentBefore));
    await admin.done('PATCH', 'tenants/acme', { budgets: [{ usd: spentBefore, period: 'total' }] });
    await eventually('the budget used up', async () => (await statusBy(cluster, keys.kept)) === 429);
    expect(await eventually('a comparison', async () => ((await admin.done('GET', 'ledger/reconciliation')) as { compared_at: unknown }))).toMatchObject({ sums_differ: 0 });
  }, RUN_MS);

  test('with a Redis that lived on, what waited in it is recorded, and tenants can be changed as ever; what Postgres knew only after the backup is as if it had never been', async () => {
    const redis = await RedisProcess.start();
    const own = await postgres.database('own');
    const startOn = (databaseUrl: string): Promise<TestCluster> => testCluster({ config: configuration(), databaseUrl, redisUrl: redis.url, env: secrets });
    let here = await startOn(own);
    try {
      let by = new AdminClient(here);
      await by.create({ provider: 'fake', name: 'main', value });
      await by.done('POST', 'tenants', { id: 'acme' });
      const made = async (): Promise<[id: string, key: string]> => {
        const reply = await by.done('POST', 'keys', { tenant: 'acme', name: 'k' });
        return [String(reply['id']), String(reply['key'])];
      };
      const [[, kept], [goes, revokedLater]] = [await made(), await made()];
      // A ledger without a row is a ledger.
      await restore((await run(script('backup.sh'), [join(folder, 'empty')], { env: toolsFor(own) })).stdout.trim(), await postgres.database('empty'));
      await eventually('an answer', async () => (await statusBy(here, kept)) === 200);
      const backup = (await run(script('backup.sh'), [join(folder, 'alone')], { env: toolsFor(own) })).stdout.trim();

      await by.done('DELETE', `keys/${goes}`);
      const [, madeLater] = await made();
      const lost = await post({ url: here.url, key: kept }, chat('Recorded after the backup?'));
      await operationRow(here, lost.headers.get('x-request-id'));
      await here.suspend('usage-worker');
      const waiting = await post({ url: here.url, key: kept }, chat('On the queue when Postgres was lost?'));
      await here.stop();
      const restored = await postgres.database('alone');
      await restore(backup, restored);
      here = await startOn(restored);
      by = new AdminClient(here);

      await operationRow(here, waiting.headers.get('x-request-id'));
      expect(await here.sql('select 1 from usage.operations where id = $1', [lost.headers.get('x-request-id')])).toEqual([]);
      expect(await Promise.all([kept, madeLater, revokedLater].map((key) => statusBy(here, key)))).toEqual([200, 401, 200]);
      await by.done('DELETE', `keys/${goes}`);
      await eventually('it refused again', async () => (await statusBy(here, revokedLater)) === 401);
      await by.done('PATCH', 'tenants/acme', { disabled: true });
      await eventually('the tenant refused', async () => (await statusBy(here, kept)) === 403);
    } finally {
      await here.stop();
      await redis.stop();
    }
  }, RUN_MS);
});

describe('a cluster of `npm start` whose data directory is copied while it is stopped', () => {
  test('goes on from the copy: the same keys, credentials, rows, bodies and cached answers', async () => {
    const directory = await temporaryDirectory('deja-copied-');
    const dataDir = join(directory, '.deja');
    const config = join(directory, 'deja.yaml');
    await writeFile(config, JSON.stringify(configuration()));
    const start = (): Promise<Cluster> => startCluster({ dataDir, port: 0, opsPort: 0, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], DEJA_CONFIG: config }, output: () => undefined });
    const ways = (cluster: Cluster): Way & { urls: string[]; adminKey: string } => ({ url: cluster.baseUrl, urls: cluster.baseUrls, key: cluster.key, adminKey: cluster.adminKey });
    let cluster = await start();
    try {
      const value = `sk-of-the-copy-${random()}`;
      const admin = new AdminClient(ways(cluster));
      await admin.create({ provider: 'fake', name: 'main', value });
      await eventually('an answer', async () => (await statusBy(ways(cluster), cluster.key)) === 200);
      const question = chat('What is in the copy?', { model: 'priced' });
      const { headers, json } = await post(ways(cluster), question);
      const id = headers.get('x-request-id') ?? '';
      const request = async (of: Cluster): Promise<unknown> => eventually('the request with its body', async () => {
        const { status, json: found } = await new AdminClient(ways(of)).call('GET', `requests/${id}`);
        return status === 200 && found['captured'] ? found : null;
      });
      const before = await request(cluster);
      await cluster.stop();

      const archive = join(directory, 'deja.tar.gz');
      await run('tar', ['-chzf', archive, '-C', directory, '.deja']); // -h: as root, Postgres's files are elsewhere, and a link leads there
      await rm(dataDir, { recursive: true });
      await run('tar', ['-xpzf', archive, '-C', directory]);
      const key = cluster.key;
      cluster = await start();
      expect(cluster.key).toBe(key);
      expect(await request(cluster)).toEqual(before);
      const again = await post(ways(cluster), question);
      expect([again.headers.get('x-cache'), again.json]).toEqual(['HIT-EXACT', json]);
      expect([await statusBy(ways(cluster), key), usedLast()]).toEqual([200, value]);
    } finally {
      await cluster.stop({ force: true });
      await rm(directory, { recursive: true, force: true });
    }
  }, RUN_MS);
});
