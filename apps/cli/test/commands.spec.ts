import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, type OperationId } from '@deja/admin-api';
import { deja, type Given } from './command-line.ts';
import { EVERYTHING } from './every-operation.ts';
import { ID } from './objects.ts';
import { ScriptedAdminApi } from './scripted-admin-api.ts';

let api: ScriptedAdminApi;
beforeAll(async () => {
  api = await ScriptedAdminApi.start();
  api.script = EVERYTHING;
});
afterAll(() => api.close());
beforeEach(() => {
  api.seen.splice(0);
});
const run = (line: string, given: Omit<Given, 'api'> = {}) => deja(line.split(' '), { api, ...given });
/** The bodies and queries of the calls of a run. */
const said = async (line: string, given: Omit<Given, 'api'> = {}): Promise<unknown[]> => {
  expect(await run(line, given)).toMatchObject({ code: 0 });
  return api.seen.map(({ id, path, query, body }) => [id, { ...path, ...query, ...(body as object | undefined) }]);
};

const LINES: Record<OperationId, string> = {
  createTenant: 'tenants create acme', listTenants: 'tenants list', getTenant: 'tenants get acme', updateTenant: 'tenants update acme --name Acme', deleteTenant: 'tenants delete acme --yes', shredBodies: 'tenants shred acme --yes',
  createKey: 'keys create search --tenant acme', listKeys: 'keys list', getKey: `keys get ${ID}`, updateKey: `keys update ${ID} --name search`, rotateKey: `keys rotate ${ID}`, deleteKey: `keys delete ${ID}`,
  createAdminToken: 'tokens create ci --role viewer', listAdminTokens: 'admin-tokens list', getAdminToken: `tokens get ${ID}`, deleteAdminToken: `tokens delete ${ID}`,
  createCredential: 'credentials create openai main', listCredentials: 'credentials list', getCredential: `credentials get ${ID}`, updateCredential: `credentials update ${ID} --weight 2`, rotateCredential: `credentials rotate ${ID}`,
  deleteCredential: `credentials delete ${ID}`, rewrapVault: 'vault rewrap',
  listDeployments: 'deployments list', getDeployment: 'deployments get openai/gpt-4o', drainDeployment: 'deployments drain openai/gpt-4o', resumeDeployment: 'deployments resume openai/gpt-4o', explainPlan: 'plan explain gpt-4o',
  listRequests: 'requests list', getRequest: `requests get ${ID}`, exportUsage: 'usage export', getUsage: 'usage', listBudgets: 'budgets list',
  getInvoice: 'usage invoice --tenant acme --month 2025-12', findUserData: 'users data --tenant acme --user someone', eraseUserData: 'users erase --tenant acme --user someone --yes',
  repriceLedger: 'ledger reprice --from 2025-12-01 --to 2026-01-01', listJobs: 'jobs list', getJob: `jobs get ${ID}`, listRejectedEvents: 'ledger rejected list', replayRejectedEvents: 'ledger rejected replay',
  getReconciliation: 'ledger reconciliation',
  createAlert: 'alerts create slow --metric error_rate --email ops@example.com', listAlerts: 'alerts list', getAlert: `alerts get ${ID}`, updateAlert: `alerts update ${ID} --above 5000`, deleteAlert: `alerts delete ${ID}`,
  createSilence: 'alerts silences create --everything --until 2h', listSilences: 'alerts silences list', deleteSilence: `alerts silences delete ${ID}`, listAlertStates: 'alerts state', listAlertEvents: 'alerts events',
  testAlert: `alerts test ${ID}`,
  cacheStats: 'cache stats', invalidateCache: 'cache invalidate --everything', cacheFeedback: `cache feedback ${ID} --wrong`,
  listAudit: 'audit', getConfig: 'config get', validateConfig: 'config validate deja.yaml', reloadConfig: 'config reload',
};
const given = { stdin: 'sk-upstream\n', files: { 'deja.yaml': 'models: []' } };

test.each(ADMIN_OPERATIONS.map(({ id }) => id))('the command line has %s, for people and as JSON', async (id) => {
  const people = await run(LINES[id], given);
  const json = await run(`${LINES[id]} --json`, given);
  expect([people.code, json.code, api.seen.at(-1)?.id]).toEqual([0, 0, id]);
  expect(people.out).not.toMatch(/undefined|\[object|NaN|[^\P{Cc}\n]/u);
  // Lines of an export are JSON either way.
  expect(people.out === json.out).toBe(id === 'exportUsage');
  expect(() => JSON.parse(json.out)).not.toThrow();
});

describe('keys', () => {
  test('a new key stands alone on standard output, so that KEY=$(…) has it, and what it belongs to beside it', async () => {
    expect(await run('keys create search --tenant acme')).toMatchObject({ code: 0, out: 'sk-deja-0a1b2c3d4e5f6g7h-secret\n', err: `Key ${ID} (search) of tenant acme. The key itself is shown this once.\n`, waitedMs: [] });
    expect((await run(`keys rotate ${ID} --grace 15m`)).err).toContain('The former secret works until 2026-01-10 01:00 UTC.');
    expect(api.seen.at(-1)?.body).toEqual({ grace_s: 900 });
  });

  test('all that a key can be told goes to the API as it has it', async () => {
    const line = 'keys create search --tenant acme --model gpt-4o --model auto --endpoint embeddings --network 10.0.0.0/8 --tag team=search --limit requests_per_minute=60 --limit gpt-4o:tokens_per_day=100k --budget 50/month '
      + '--budget 5/day,soft,zone=Europe/Zurich,model=gpt-4o --cache scope=user --cache exact_ttl=1h --validation max_output_tokens=1000 --per-user-limit concurrency=2 --per-user-budget 1/day --capture metadata --expires 90d';
    expect(await said(line)).toEqual([['createKey', {
      tenant: 'acme', name: 'search', models: ['gpt-4o', 'auto'], endpoints: ['embeddings'], networks: ['10.0.0.0/8'], tags: { team: 'search' },
      limits: { requests_per_minute: 60, models: { 'gpt-4o': { tokens_per_day: 100_000 } } },
      budgets: [{ usd: '50', period: 'month', mode: 'hard', time_zone: 'UTC' }, { usd: '5', period: 'day', mode: 'soft', time_zone: 'Europe/Zurich', model: 'gpt-4o' }],
      cache: { scope: 'user', exact: { ttl_s: 3600 } }, validation: { max_output_tokens: 1000 }, capture: 'metadata',
      per_user: { concurrency: 2, budgets: [{ usd: '1', period: 'day', mode: 'hard', time_zone: 'UTC' }] }, expires_at: '2026-04-10T00:00:00.000Z',
    }]]);
  });

  test('an update changes what it names, and leaves the rest of it as it was', async () => {
    const line = `keys update ${ID} --limit gpt-4o:tokens_per_day=none --limit concurrency=3 --tag env=prod --per-user-budget none/day --cache exact_ttl=default --all-models --expires never`;
    expect((await said(line)).at(-1)).toEqual(['updateKey', {
      id: ID, models: null, limits: { requests_per_minute: 60, concurrency: 3 }, tags: { team: 'search', env: 'prod' }, per_user: { concurrency: 2 }, cache: { scope: 'user' }, expires_at: null,
    }]);
    expect(api.seen.at(-1)?.headers['if-match']).toBe('"1"');
    expect((await said(`keys update ${ID} --untag team`)).at(-1)).toEqual(['updateKey', { id: ID, tags: {} }]);
    expect(await run(`keys update ${ID}`)).toMatchObject({ code: 2, err: expect.stringContaining('Say what to change') });
  });

  test('to take away what is not there is wrong usage, and changes nothing', async () => {
    for (const option of ['--budget none/week', '--per-user-budget none/month', '--limit concurrency=none', '--per-user-limit requests_per_day=none', '--untag nothing']) {
      expect(await run(`keys update ${ID} ${option}`)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/takes nothing away.*\n {2}Nothing was changed\.\n$/) });
    }
    expect(new Set(api.seen.map(({ id }) => id))).toEqual(new Set(['getKey']));
  });

  test('a table shows each with its state; a single one shows its settings as they are typed', async () => {
    const { out } = await run('keys list');
    expect(out.split('\n').map((line) => line.trim().split(/ {2,}/).slice(1))).toEqual([
      ['TENANT', 'NAME', 'BEGINS', 'STATE', 'EXPIRES (UTC)'], ['acme', 'search', 'sk-deja-0a1b2c3d4e5f6g7h', 'active', '–'], ['acme', 'old', 'sk-deja-0a1b2c3d4e5f6g7h', 'expired', '2026-01-01 00:00'], ['acme', 'off', '–', 'disabled', '–'], [],
    ]);
    const one = (await run(`keys get ${ID}`)).out;
    for (const text of ['models     gpt-4o\n', 'limits     requests_per_minute=60\n           gpt-4o:tokens_per_day=1000\n', 'cache      scope=user\n           exact_ttl=1h\n', 'each user  concurrency=2\n           1/day\n', 'endpoints  all\n', 'expires    never\n']) expect(one).toContain(text);
  });

  test('disabling and enabling are one word', async () => {
    expect(await run(`keys disable ${ID}`)).toMatchObject({ code: 0, out: `Key ${ID} (search) is disabled.\n` });
    expect(await run('tenants enable acme')).toMatchObject({ code: 0, out: 'Tenant acme is active.\n' });
    expect(api.seen.map(({ body }) => body)).toEqual([{ disabled: true }, { disabled: false }]);
  });
});

describe('a secret that goes in', () => {
  test('is piped, or typed without an echo, and stands in no output', async () => {
    const piped = await run('credentials create openai main --weight 2 --limit requests_per_minute=500', { stdin: 'sk-upstream\r\n' });
    expect(api.seen.at(-1)?.body).toEqual({ provider: 'openai', name: 'main', value: 'sk-upstream', weight: 2, limits: { requests_per_minute: 500 } });
    const typed = await run(`credentials rotate ${ID} --grace 0`, { typed: 'sk-typed\n', terminal: 100 });
    expect(api.seen.at(-1)?.body).toEqual({ value: 'sk-typed', grace_s: 0 });
    expect(typed.err).toBe('New value: \n');
    expect(piped.out + piped.err + typed.out + typed.err).not.toMatch(/sk-upstream|sk-typed/);
  });

  test('is no argument, and an empty one is none', async () => {
    expect(await run('credentials create openai main sk-upstream')).toMatchObject({ code: 2 });
    expect(await run('credentials create openai main --value sk-upstream')).toMatchObject({ code: 2 });
    expect(await run('credentials create openai main', { stdin: '\n' })).toMatchObject({ code: 2, err: expect.stringContaining('No value came') });
    expect(await run('credentials create openai main', { typed: '\u0003', terminal: 100 })).toMatchObject({ code: 2, err: expect.stringContaining('Nothing was done') });
    expect(api.seen).toEqual([]);
  });
});

describe('what cannot be undone', () => {
  test('is asked about where somebody is there, and needs --yes where nobody is', async () => {
    expect(await run('tenants delete acme')).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
    expect(await run('tenants delete acme', { typed: 'n\n', terminal: 100 })).toMatchObject({ code: 2, err: expect.stringContaining('Nothing was done.') });
    expect(api.seen).toEqual([]);
    expect(await run('tenants delete acme', { typed: 'y\n', terminal: 100 })).toMatchObject({ code: 0, out: 'Tenant acme is deleted.\n' });
  });

  test('all cached answers go only when it is said', async () => {
    expect(await run('cache invalidate')).toMatchObject({ code: 2, err: expect.stringContaining('--everything') });
    expect(await run('cache invalidate --dry-run')).toMatchObject({ code: 2 });
    expect(await run('cache invalidate --everything --model gpt-4o')).toMatchObject({ code: 2 });
    expect(api.seen).toEqual([]);
    expect(await said('cache invalidate --model gpt-4o --tag team=search --older-than 7d --dry-run')).toEqual([['invalidateCache', { model: 'gpt-4o', tag: 'team=search', older_than_s: 604_800, dry_run: true }]]);
    expect((await run('cache invalidate --entry 019b7d9e-0000-7000-8000-000000000001')).out).toBe('12 cached answers will be served no more.\n');
  });
});

describe('usage, requests and budgets', () => {
  test('groups are columns, unknown costs are said, and the question goes to the API as it was asked', async () => {
    const { out } = await run('usage --by day,model --from 7d --zone Europe/Zurich --tenant acme');
    expect(api.seen[0]?.query).toEqual({ group_by: 'day,model', time_zone: 'Europe/Zurich', tenant: 'acme', from: '2026-01-03T00:00:00.000Z', limit: '100' });
    expect(out.split('\n')).toEqual([
      'DAY         MODEL   REQUESTS  ERRORS  ERROR %  HIT %  TOKENS IN    OUT    COST  UNPRICED  SAVED     P50    P95    P99',
      '2026-01-09  gpt-4o     1,000       2     0.2%  13.3%    123,456  7,890  $12.35         –  $1.50  812 ms  4.2 s  9.1 s',
      '2026-01-08  –          1,000       2     0.2%  13.3%    123,456  7,890  $12.35         3  $1.50  812 ms  4.2 s  9.1 s',
      '',
    ]);
  });

  test('a request without a cost has none, which is not 0; what clients sent commands no terminal', async () => {
    const { out } = await run('requests list --status 4xx --cache MISS');
    expect(api.seen[0]?.query).toEqual({ status: '4xx', cache: 'MISS', limit: '100' });
    expect(out).toMatch(/429 error +– +– +– +2\.3 s/);
    expect((await run(`requests get ${ID}`)).out).toContain('someone\\u{1b}[2J');
  });

  test('a budget that is nearly used up is not shown as used up', async () => {
    const { out } = await run('budgets list --tenant acme');
    expect(out).toMatch(/month +hard +\$50\.00 +– +\$50\.00 +99%/);
    expect(out).toMatch(/day \(Europe\/Zurich\) +hard +\$50\.00 +\$0\.25 +\$50\.00 +100%/);
  });
});

describe('configuration', () => {
  test('a file that would not do is told with its places, and ends with 1', async () => {
    expect(await run('config validate bad.yaml', { files: { 'bad.yaml': 'a: 1\n\nmodles: []' } })).toMatchObject({ code: 1, out: 'bad.yaml:3:1: error: modles: is no key of deja.yaml\n', err: 'deja: bad.yaml would not do.\n' });
    expect(await run('config validate -', { stdin: 'models: []' })).toMatchObject({ code: 0, out: '- would do.\n' });
    expect(await run('config validate nothing.yaml')).toMatchObject({ code: 2, err: 'deja: nothing.yaml cannot be read (ENOENT).\n' });
  });

  test('the one in force is YAML', async () => {
    expect((await run('config get')).out).toBe("# From /etc/deja/deja.yaml, read 2026-01-02 03:04 UTC, version 42.\nproviders:\n  openai:\n    credentials:\n      - name: main\n        value: \"***\"\n");
  });
});

test('a plan is asked for with the request, and shows what has a place before what has none', async () => {
  const line = 'plan explain gpt-4o --endpoint responses --tenant acme --body request.json --region eu --tag fast';
  expect(await said(line, { files: { 'request.json': '{"input":"x"}' } })).toEqual([['explainPlan', { model: 'gpt-4o', endpoint: 'responses', tenant: 'acme', body: { input: 'x' }, requires: { region: 'eu', tags: ['fast'] } }]]);
  expect(await run('plan explain gpt-4o --body x.json', { files: { 'x.json': '[]' } })).toMatchObject({ code: 2, err: expect.stringContaining('no JSON object') });
});

test('ids may hold slashes', async () => {
  expect(await said('deployments drain openai/gpt-4o')).toEqual([['drainDeployment', { id: 'openai/gpt-4o' }]]);
});

describe('wrong usage ends with 2, says what to write, and calls nothing', () => {
  test.each([
    ['', 'Usage: deja'], ['keys', 'Usage: deja keys'], ['kyes list', 'Did you mean keys?'], ['keys lst', 'Did you mean list?'], ['keys create', "missing required argument 'name'"], ['keys list --nothing', 'unknown option'],
    ['keys create x --limit 60', 'write for example requests_per_minute=60'], ['keys create x --budget 50', 'write for example 50/month'], ['keys create x --expires soon', 'write a moment as'], ['keys create x --tag team', 'write a tag as name=value'],
    ['keys create x --endpoint chat', 'Allowed choices are chat/completions'], ['tokens create x', '--role'], ['tokens create x --role king', 'viewer, operator, owner'], ['usage --by colour', 'write some of minute, hour, day'], ['usage --from yesterday', 'write a moment as'],
    ['keys list --max 0', 'write a number from 1 on'], ['keys list --max 5 --all', 'cannot be used with'], [`cache feedback ${ID}`, '--correct or --wrong'], ['credentials create openai main --limit gpt-4o:concurrency=1', 'as a whole only'],
    ['tenants create', 'Give the tenant an id'], ['completion tcsh', 'bash, zsh, fish'],
  ])('deja %s', async (line, message) => {
    const { code, out, err } = await deja(line === '' ? [] : line.split(' '), { api });
    expect([code, out, err.replaceAll(/\s+/g, ' '), api.seen]).toEqual([2, '', expect.stringContaining(message), []]);
  });
});

describe('on a terminal', () => {
  test('titles are bold and states coloured, unless somebody wants no colours; tables stay within its width', async () => {
    const lines = (await run('requests list', { terminal: 120 })).out.split('\n').filter((line) => line !== '');
    expect(lines[0]).toContain('\u001b[1m');
    expect(lines[2]).toContain('\u001b[31m429 error\u001b[0m');
    for (const line of lines) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(120);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) expect((await run('requests list', { terminal: 120, env })).out).not.toContain('\u001b');
    expect((await run('keys list', { terminal: 80, env: { DEJA_ADMIN_KEY: 'wrong' } })).err).toContain('\u001b[31mdeja:\u001b[0m');
  });

  test('help is good usage, with what holds everywhere', async () => {
    const { code, out } = await run('keys create --help');
    expect([code, out]).toEqual([0, expect.stringMatching(/--per-user-budget[\s\S]*--admin-key-file/)]);
    expect((await run('--help')).out).toContain('Exit codes: 0 good, 1 the API refused, 2 wrong usage, 3 the cluster cannot be reached.');
  });
});
