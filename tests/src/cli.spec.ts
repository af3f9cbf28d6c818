import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { chat, eventually, post, type Raw } from './client.ts';

const PROGRAM = fileURLToPath(new URL('../../tools/deja.mjs', import.meta.url));
/** So soon a change holds everywhere. */
const IN_FORCE_MS = 1000;

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider({ otherwise: answer('Well.', { usage: { promptTokens: 1000, completionTokens: 500 } }) });
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [{ name: 'gpt-4o', deployments: [{ provider: 'fake', model: 'gpt-4o' }] }],
      cache: { semantic: { enabled: false } },
    },
  });
  await done('tenants create acme --name Acme');
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** `deja …` as a process, which finds this cluster by its data directory as it finds the one that `npm start` runs. */
function deja(args: string[], { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { env: { PATH: process.env['PATH'], DEJA_DATA_DIR: cluster.dataDir, ...env }, cwd: cluster.dataDir });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...said }));
    child.stdin.end(stdin);
  });
}

/** The standard output of a command that is to go well. */
async function done(line: string, given: { stdin?: string; env?: Record<string, string> } = {}): Promise<string> {
  const { code, out, err } = await deja(line.split(' '), given);
  if (code !== 0) throw new Error(`deja ${line}: ${code}\n${out}${err}`);
  return out;
}
const json = async <T>(line: string, given: { env?: Record<string, string> } = {}): Promise<T> => JSON.parse(await done(`${line} --json`, given)) as T;

let questions = 0;
const ask = (key: string): Promise<Raw> => post(cluster, chat(`Question ${++questions}, which nobody asked before.`, { model: 'gpt-4o' }), { authorization: `Bearer ${key}` });
const keyId = async (name: string): Promise<string> => (await json<{ id: string; name: string }[]>('keys list')).find((key) => key.name === name)!.id;

describe('a key from the command line', () => {
  test('stands alone on standard output and works; its limit holds, and goes when it is taken away', async () => {
    const key = (await done('keys create search --tenant acme --limit requests_per_minute=2 --tag team=search')).trimEnd();
    expect(key).toMatch(/^sk-deja-\S+$/);
    expect([(await ask(key)).status, (await ask(key)).status]).toEqual([200, 200]);
    expect(await ask(key)).toMatchObject({ status: 429, json: { error: { code: 'rate_limit_exceeded' } } });
    const id = await keyId('search');
    expect(await done(`keys update ${id} --limit requests_per_minute=none`)).not.toContain('requests_per_minute');
    await eventually('the limit to be gone', async () => (await ask(key)).status === 200, IN_FORCE_MS);
    expect(await done(`keys get ${id}`)).toContain('team=search');
  });

  test('is refused once it is disabled, works under its new secret after a rotation without grace, and is unknown once it is deleted', async () => {
    const former = (await done('keys create short --tenant acme')).trimEnd();
    const id = await keyId('short');
    await done(`keys disable ${id}`);
    await eventually('the key to be disabled', async () => (await ask(former)).json.error?.code === 'key_disabled', IN_FORCE_MS);
    await done(`keys enable ${id}`);
    const current = (await done(`keys rotate ${id} --grace 0`)).trimEnd();
    await eventually('the new secret to work', async () => (await ask(current)).status === 200, IN_FORCE_MS);
    await eventually('the former secret to be unknown', async () => (await ask(former)).status === 401, IN_FORCE_MS);
    await done(`keys delete ${id}`);
    await eventually('the key to be unknown', async () => (await ask(current)).status === 401, IN_FORCE_MS);
    expect(await deja(['keys', 'get', id])).toMatchObject({ code: 1, out: '', err: expect.stringContaining('code: not_found') });
  });

  test('has a budget that the command line shows with what is used of it', async () => {
    const key = (await done('keys create spender --tenant acme --budget 25/month')).trimEnd();
    expect((await ask(key)).status).toBe(200);
    const id = await keyId('spender');
    await eventually('the budget to count it', async () => {
      const [budget] = await json<{ usd: string; spent_usd: string }[]>(`budgets list --key ${id}`);
      return budget?.usd === '25' && Number(budget.spent_usd) > 0;
    });
    expect(await done(`budgets list --key ${id}`)).toMatch(/month +hard .*\$25\.00/);
  });
});

test('what was used is shown in groups, row by row, and exported', async () => {
  await done('tenants create counted');
  const key = (await done('keys create counted --tenant counted')).trimEnd();
  const id = (await ask(key)).headers.get('x-request-id')!;
  await eventually('the ledger to have it', async () => (await json<unknown[]>('requests list --tenant counted')).length === 1);
  expect(await json('usage --tenant counted --by model')).toEqual([expect.objectContaining({ model: 'gpt-4o', requests: 1 })]);
  expect(await done('usage --by day,tenant')).toMatch(/counted +1 +0 /);
  expect(await json(`usage invoice --tenant counted --month ${new Date().toISOString().slice(0, 7)}`)).toMatchObject({ requests: 1, cost_usd: '0.0075', lines: [{ model: 'gpt-4o', prompt_tokens: 1000, completion_tokens: 500 }] });
  expect(await done(`requests get ${id}`)).toContain('fake/gpt-4o');
  expect((await done('usage export --tenant counted')).split('\n').map((line) => (line === '' ? null : (JSON.parse(line) as { id: string }).id))).toEqual([id, null]);
});

test('a credential goes in through standard input, and comes out nowhere', async () => {
  const value = `sk-upstream-${'0123456789'.repeat(5)}-wxyz`;
  const kept = await deja(['credentials', 'create', 'fake', 'from-stdin', '--weight', '0'], { stdin: `${value}\n` });
  expect(kept.code).toBe(0);
  const listed = await done('credentials list');
  expect(listed).toMatch(/fake\/from-stdin +api +wxyz +0/);
  expect(kept.out + kept.err + listed).not.toContain(value);
});

test('a token of one tenant sees that tenant alone, whatever it asks for', async () => {
  const token = (await done('tokens create ci --role operator --tenant acme')).trimEnd();
  const env = { DEJA_ADMIN_KEY: token };
  expect(await json<{ id: string }[]>('tenants list', { env })).toEqual([expect.objectContaining({ id: 'acme' })]);
  expect(await deja(['tenants', 'get', 'default'], { env })).toMatchObject({ code: 1, err: expect.stringContaining('code: not_found') });
  expect(await deja(['config', 'reload'], { env })).toMatchObject({ code: 1, err: expect.stringContaining('code: permission_denied') });
  expect(await done('audit --action createAdminToken')).toContain('root');
});

test('the rest of the surface answers as well', async () => {
  await writeFile(join(cluster.dataDir, 'good.yaml'), 'models: []\n');
  await writeFile(join(cluster.dataDir, 'bad.yaml'), 'modles: []\n');
  expect(await done('deployments list')).toContain('fake/gpt-4o');
  expect(await done('deployments drain fake/gpt-4o')).toContain('drained');
  expect(await done('plan explain gpt-4o')).toContain('drained');
  await done('deployments resume fake/gpt-4o');
  expect(await done('config get')).not.toContain('sk-upstream-a');
  expect(await done('config validate good.yaml')).toContain('would do');
  expect(await deja(['config', 'validate', 'bad.yaml'])).toMatchObject({ code: 1, out: expect.stringContaining('bad.yaml:1:1: error: ') });
  await done('config reload');
  await done('vault rewrap');
  expect(await done('cache stats')).toMatch(/exact entries +\d/);
  expect(await done('cache invalidate --tenant acme --dry-run')).toContain('would be served no more');
});

test('a tenant goes with its keys, and only when it is said twice', async () => {
  await done('tenants create gone');
  const key = (await done('keys create gone --tenant gone')).trimEnd();
  expect((await ask(key)).status).toBe(200);
  expect(await deja(['tenants', 'delete', 'gone'])).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
  await done('tenants delete gone --yes');
  await eventually('its key to be unknown', async () => (await ask(key)).status === 401, IN_FORCE_MS);
});

test('a budget that is none for a period is gone from it, whatever it was; where there is none it is said', async () => {
  await done('tenants create budgeted --budget 9/week --budget 5/week,soft,zone=Europe/Zurich --budget 3/week,model=gpt-4o --budget 50/month');
  expect(await done('tenants update budgeted --budget none/week')).toMatch(/budgets +50\/month\n(?! +\d)/);
  expect(await deja(['tenants', 'update', 'budgeted', '--budget', 'none/week'])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('none/week takes nothing away: what is there is 50/month') });
});

test('users whose names only look alike are told apart', async () => {
  await done('tenants create alike');
  const key = (await done('keys create alike --tenant alike')).trimEnd();
  const names = ['bob', 'bo\u200bb', 'bob '];
  for (const user of names) expect((await post(cluster, chat(`Question ${++questions} of somebody.`, { model: 'gpt-4o', user }), { authorization: `Bearer ${key}` })).status).toBe(200);
  await eventually('the ledger to have them', async () => (await json<unknown[]>('requests list --tenant alike')).length === names.length);
  const shown = (await done('usage --tenant alike --by user')).split('\n').slice(1, -1).map((line) => line.split(' ')[0]);
  expect([shown.length, new Set(shown)]).toEqual([3, new Set(['bob', String.raw`bo\u{200b}b`, String.raw`bob\u{20}`])]);
});

test('the cluster is found where the admin API has a port of its own, and at both of its addresses its key is known', async () => {
  const apart = await testCluster({ provider, env: { DEJA_ADMIN_PORT: '0' } });
  try {
    const env = { DEJA_DATA_DIR: apart.dataDir };
    const { admin_url: own } = JSON.parse(await readFile(join(apart.dataDir, 'run', 'ready.json'), 'utf8')) as { admin_url: string };
    expect(own).not.toBe(apart.url);
    expect(await done('tenants list', { env })).toContain('default');
    expect(await done(`tenants list --url ${own}`, { env })).toContain('default');
    expect(await deja(['keys', 'get', 'x', '--url', apart.url], { env })).toMatchObject({ code: 1, err: expect.stringContaining('DEJA_ADMIN_PORT') });
    expect(await deja(['keys', 'get', 'x'], { env })).toMatchObject({ code: 1, err: expect.not.stringContaining('DEJA_ADMIN_PORT') });
  } finally {
    await apart.stop();
  }
}, 60_000);

test('where there is no cluster, no key or no such command, the exit code says which', async () => {
  expect(await deja(['keys', 'list'], { env: { DEJA_DATA_DIR: join(cluster.dataDir, 'nothing') } })).toMatchObject({ code: 3, err: expect.stringContaining('npm start') });
  expect(await deja(['keys', 'list'], { env: { DEJA_ADMIN_KEY: 'wrong' } })).toMatchObject({ code: 1, err: expect.stringContaining('invalid_api_key') });
  expect(await deja(['keys', 'destroy'])).toMatchObject({ code: 2 });
});
