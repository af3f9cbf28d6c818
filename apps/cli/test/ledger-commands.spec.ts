import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { JobObject } from '@deja/admin-api';
import { deja, type Given } from './command-line.ts';
import { ID, invoice, job, list, reconciliation, rejectedEvent, request } from './objects.ts';
import { ScriptedAdminApi } from './scripted-admin-api.ts';

let api: ScriptedAdminApi;
beforeEach(async () => {
  api = await ScriptedAdminApi.start();
});
afterEach(() => api.close());
const run = (line: string, given: Omit<Given, 'api'> = {}) => deja(line.split(' '), { api, ...given });
const rowsOf = (out: string): string[][] => out.trimEnd().split('\n').map((line) => line.trim().split(/ {2,}/));
/** The states of a job, one for each look at it; the last one stays. */
const goesThrough = (...states: Partial<JobObject>[]): (() => { json: JobObject }) => () => ({ json: job(states.length > 1 ? states.shift() : states[0]) });

describe('searching requests', () => {
  test('every filter of the API can be typed, and goes there as it has it', async () => {
    api.script.listRequests = () => ({ json: list([request()]) });
    const words = ['--search', '"refund policy" -test'];
    const line = `requests list --tenant acme --key ${ID} --user u1 --model gpt-4o --requested-model auto --provider openai --deployment openai/gpt-4o --credential openai/main --endpoint chat/completions --outcome error --error-code upstream_error `
      + '--cache MISS --cache-reason audit --cache-entry e1 --usage-source estimated --price-version v7 --trace-id t1 --safety-flag email --stream --tag team=search --min-cost $0.5 --min-duration 2s --unpriced --status 5xx --from 24h --to 1h';
    expect(await deja([...line.split(' '), ...words], { api })).toMatchObject({ code: 0, err: '' });
    expect(api.seen[0]?.query).toEqual({
      tenant: 'acme', key: ID, user: 'u1', model: 'gpt-4o', requested_model: 'auto', provider: 'openai', deployment: 'openai/gpt-4o', credential: 'openai/main', endpoint: 'chat/completions', outcome: 'error', error_code: 'upstream_error',
      cache: 'MISS', cache_reason: 'audit', cache_entry: 'e1', usage_source: 'estimated', price_version: 'v7', trace_id: 't1', safety_flag: 'email', stream: 'true', tag: 'team=search', min_cost_usd: '0.5', min_duration_ms: '2000', unpriced: 'true',
      status: '5xx', q: '"refund policy" -test', from: '2026-01-09T00:00:00.000Z', to: '2026-01-09T23:00:00.000Z', limit: '100',
    });
  });

  test('what is not typed is not asked for; a tag may be a name alone, and a condition its opposite', async () => {
    api.script.listRequests = () => ({ json: list([]) });
    expect(await run('requests list --tag team --no-stream --no-unpriced --min-duration 500ms')).toMatchObject({ code: 0, err: 'There are no such requests.\n' });
    expect(api.seen[0]?.query).toEqual({ tag: 'team', stream: 'false', unpriced: 'false', min_duration_ms: '500', limit: '100' });
  });

  test.each([['--min-duration 2', 'write a duration as 500ms, 2s or 1m'], ['--min-cost much', 'no amount in US dollars'], ['--tag a=b=c', 'write a tag as name=value'], ['--outcome good', 'Allowed choices are ok, error']])('%s is wrong usage', async (option, message) => {
    expect(await run(`requests list ${option}`)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  });
});

describe('captured bodies', () => {
  const captured = { mode: 'full' as const, request: { messages: [{ role: 'user', content: 'a\u001b[2J\u202eb' }] }, response: 'half an ans', truncated: true, shredded: false };

  test('are shown when asked for, command no terminal, and are otherwise only mentioned', async () => {
    api.script.getRequest = () => ({ json: request({ captured }) });
    const { out } = await run(`requests get ${ID} --bodies`);
    expect(out).toContain(['', 'Request', '{', '  "messages": [', '    {', '      "role": "user",', '      "content": "a\\u001b[2J\\u202eb"', '    }', '  ]', '}', '', 'Answer', '"half an ans"', ''].join('\n'));
    const without = (await run(`requests get ${ID}`)).out;
    expect(without).toContain('bodies      kept, too long to be kept whole (--bodies shows them)\n');
    expect(without).not.toContain('half an ans');
  });

  test('that are not there, or shredded, are said to be so', async () => {
    api.script.getRequest = () => ({ json: request({ captured: null }) });
    expect((await run(`requests get ${ID} --bodies`)).out).toContain('\nNothing is kept of its bodies, or this key may not read them: that takes an operator.\n');
    api.script.getRequest = () => ({ json: request({ captured: { mode: 'metadata', request: null, response: null, truncated: false, shredded: true } }) });
    expect((await run(`requests get ${ID} --bodies`)).out).toMatch(/bodies +shredded: their key was destroyed\n/);
  });
});

describe('sums, invoices and files', () => {
  test('usage asks by every filter that sums have', async () => {
    api.script.getUsage = () => ({ json: list([]) });
    await run('usage --by week,price_version --provider openai --endpoint embeddings --cache HIT-EXACT --tag team');
    expect(api.seen[0]?.query).toEqual({ group_by: 'week,price_version', provider: 'openai', endpoint: 'embeddings', cache: 'HIT-EXACT', tag: 'team', limit: '100' });
  });

  test('an invoice has every digit of its amounts, and says what is not in them', async () => {
    api.script.getInvoice = () => ({ json: invoice() });
    const { out } = await run('usage invoice --tenant acme --month 2025-12 --zone Europe/Zurich');
    expect(api.seen[0]?.query).toEqual({ tenant: 'acme', month: '2025-12', time_zone: 'Europe/Zurich' });
    expect(rowsOf(out)).toEqual([
      ['tenant', 'acme'], ['month', '2025-12 in UTC'], ['from', '2025-12-01 00:00 UTC'], ['to', '2026-01-01 00:00 UTC'], ['state', 'final'], ['requests', '1,203'], ['cost', '$12.345678901'], ['saved', '$1.5'],
      ['without a known cost', '2 requests, which are not in it'], [''],
      ['MODEL', 'PROVIDER', 'PRICE', 'REQUESTS', 'TOKENS IN', 'CACHED', 'OUT', 'COST', 'UNPRICED'],
      ['gpt-4o', 'openai', 'v7', '1,200', '123,456', '400', '7,890', '$12.345678901', '–'], ['–', '–', '–', '3', '0', '0', '0', '$0', '2'],
    ]);
    expect(await run('usage invoice --tenant acme --month 2025-13')).toMatchObject({ code: 2, err: expect.stringContaining('write a month as 2026-11') });
  });

  test('a Parquet file is passed on byte by byte, and not to a terminal', async () => {
    const file = Uint8Array.from({ length: 70_000 }, (_, n) => (n * 7919) % 256);
    api.script.exportUsage = () => ({ raw: file, status: 200, headers: { 'content-type': 'application/vnd.apache.parquet' } });
    const { code, outBytes } = await run('usage export --format parquet --outcome ok');
    expect([code, outBytes.equals(file), api.seen[0]?.query]).toEqual([0, true, { format: 'parquet', outcome: 'ok' }]);
    expect(await run('usage export --format parquet', { terminal: 80 })).toMatchObject({ code: 2, out: '', err: expect.stringContaining('> requests.parquet') });
  });
});

describe('jobs', () => {
  test('what is begun says its id and ends; told to wait, it ends with the job, and says meanwhile how far that is', async () => {
    api.script.repriceLedger = () => ({ json: job({ state: 'waiting', result: {}, finished_at: null }) });
    const line = 'ledger reprice --from 2025-12-01 --to 2026-01-01 --tenant acme --provider openai --model gpt-4o --only-unpriced --dry-run';
    const begun = await run(line);
    expect(api.seen.map(({ id, body }) => [id, body])).toEqual([['repriceLedger', { from: '2025-12-01T00:00:00.000Z', to: '2026-01-01T00:00:00.000Z', tenant: 'acme', provider: 'openai', model: 'gpt-4o', only_unpriced: true, dry_run: true }]]);
    expect(begun.out).toMatch(new RegExp(`id +${ID}\nkind +reprice\nstate +waiting\n`));
    api.script.getJob = goesThrough({ state: 'running', result: { requests: 500 }, finished_at: null }, { state: 'running', result: { requests: 500 }, finished_at: null }, {});
    const waited = await run(`${line} --wait`);
    expect(waited).toMatchObject({ code: 0, err: `Job ${ID} is waiting.\nJob ${ID} is running, requests 500.\n`, waitedMs: [500, 1000, 2000] });
    expect(waited.out).toMatch(/state +done\n[\s\S]*result +requests 1,200\n +changed 3\n +before usd \$1\.5\n +after usd \$1\.500000001\n/);
  });

  test('one that fails while it is waited for ends with 1 and why; one that is only looked at does not', async () => {
    api.script.getJob = goesThrough({ state: 'failed', error: 'No price is known.' });
    expect(await run(`jobs get ${ID} --wait`)).toMatchObject({ code: 1, err: 'deja: The job failed: No price is known.\n' });
    expect(await run(`jobs get ${ID}`)).toMatchObject({ code: 0, out: expect.stringMatching(/error +No price is known\.\n/) });
  });

  test('where the cluster is lost meanwhile, it is said how to go on looking', async () => {
    api.script.eraseUserData = () => ({ json: job({ kind: 'erase_user', state: 'waiting', result: {}, finished_at: null }) });
    api.script.getJob = () => 'hang up';
    const { code, err } = await run('users erase --tenant acme --user u1 --yes --wait');
    expect([code, err]).toEqual([3, expect.stringContaining(`The job goes on all the same: deja jobs get ${ID} --wait\n`)]);
  });

  test('--json of what was waited for is the job as it ended', async () => {
    api.script.replayRejectedEvents = () => ({ json: job({ kind: 'replay_rejected', state: 'waiting', result: {} }) });
    api.script.getJob = goesThrough({ kind: 'replay_rejected', result: { recorded: 2 } });
    const { out } = await run('ledger rejected replay ab12 cd34 --wait --json');
    expect([api.seen[0]?.body, JSON.parse(out)]).toEqual([{ ids: ['ab12', 'cd34'] }, job({ kind: 'replay_rejected', result: { recorded: 2 } })]);
  });

  test('without the time it is of, nothing is priced anew', async () => {
    expect(await run('ledger reprice --from 2025-12-01')).toMatchObject({ code: 2, err: expect.stringContaining("required option '--to <moment>'") });
    expect(api.seen).toEqual([]);
  });
});

describe('what cannot be undone', () => {
  test('a user is erased, and bodies are shredded, only when somebody says yes', async () => {
    api.script.eraseUserData = () => ({ json: job({ kind: 'erase_user' }) });
    api.script.shredBodies = () => ({ json: { object: 'shredded', id: 'acme', keys: 1 } });
    for (const line of ['users erase --tenant acme --user u1', 'tenants shred acme']) {
      expect(await run(line)).toMatchObject({ code: 2, err: expect.stringContaining('Say --yes') });
      expect(await run(line, { typed: 'n\n', terminal: 100 })).toMatchObject({ code: 2, err: expect.stringContaining('Nothing was done.') });
    }
    expect(api.seen).toEqual([]);
    expect(await run('users erase --tenant acme --user u1', { typed: 'yes\n', terminal: 200 })).toMatchObject({ code: 0 });
    expect(await run('tenants shred acme --yes')).toMatchObject({ code: 0, out: '1 key destroyed: what was captured of tenant acme until now cannot be read any more.\n' });
    expect(api.seen.map(({ id, body, path }) => [id, body ?? path])).toEqual([['eraseUserData', { tenant: 'acme', user: 'u1' }], ['shredBodies', { id: 'acme' }]]);
  });
});

describe('whether the ledger is complete', () => {
  test('quarters that do not agree are shown, all of them when asked', async () => {
    api.script.getReconciliation = () => ({ json: reconciliation() });
    const odd = rowsOf((await run('ledger reconciliation')).out);
    expect(odd).toContainEqual(['quarters', '2 of an hour, in 1 of which accepted and recorded differ']);
    expect(odd.slice(-2)).toEqual([['QUARTER (UTC)', 'ACCEPTED', 'RECORDED', 'ON THE WAY', 'UNSURE', 'MISSING', 'TOO MANY'], ['2026-01-02 02:45', '1,002', '990', '10', '–', '2', '–']]);
    expect(rowsOf((await run('ledger reconciliation --all')).out)).toContainEqual(['2026-01-02 02:30', '500', '500', '–', '–', '–', '–']);
    api.script.getReconciliation = () => ({ json: reconciliation({ at: null, missing: 0, quarters: [] }) });
    expect((await run('ledger reconciliation')).out).toContain('compared          not yet\n');
  });

  test('what was set aside is listed with the reason; what it says is JSON', async () => {
    api.script.listRejectedEvents = () => ({ json: list([rejectedEvent()]) });
    expect((await run('ledger rejected list')).out).toBe('SET ASIDE (UTC)      ID    REASON\n2026-01-02 03:04:05  ab12  it is no JSON\n');
    expect(JSON.parse((await run('ledger rejected list --json')).out)).toEqual([rejectedEvent()]);
  });
});

test('what a tenant or key has captured is one option, and may be left to what is above', async () => {
  api.script.getTenant = () => ({ raw: JSON.stringify({ object: 'tenant', id: 'acme', name: 'Acme', limits: {}, budgets: [], cache: {}, validation: {}, capture: 'none', models: null, disabled: false, created_at: null, updated_at: null }), status: 200 });
  api.script.updateTenant = () => ({ error: 'conflict', message: 'Enough.' });
  await run('tenants update acme --capture default');
  expect(api.seen.at(-1)?.body).toEqual({ capture: null });
  await run('tenants update acme --capture none');
  expect(api.seen.at(-1)?.body).toEqual({ capture: 'none' });
  expect((await run('tenants get acme')).out).toMatch(/capture +none\n/);
  expect(await run('tenants update acme --capture some')).toMatchObject({ code: 2, err: expect.stringContaining('none, metadata, full, default') });
});
