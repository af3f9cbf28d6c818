import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { deja, type Given } from './command-line.ts';
import { ID, key, list, request } from './objects.ts';
import { ScriptedAdminApi, type Reply } from './scripted-admin-api.ts';

let api: ScriptedAdminApi;
beforeEach(async () => {
  api = await ScriptedAdminApi.start();
});
afterEach(() => api.close());
const run = (line: string, given: Omit<Given, 'api'> = {}) => deja(line.split(' '), { api, ...given });
/** One reply after another. */
const inTurn = <T>(...replies: Reply<T>[]) => () => replies.shift() ?? ('hang up' as const);

test('a POST whose connection was lost is made once more under the same idempotency key, so that nothing is done twice', async () => {
  api.script.createKey = inTurn<ReturnType<typeof key> & { key: string }>('hang up', { json: { ...key(), key: 'sk-deja-new' } });
  const { code, out } = await run('keys create search --tenant acme');
  expect([code, out]).toEqual([0, 'sk-deja-new\n']);
  const keys = api.seen.map(({ headers }) => headers['idempotency-key']);
  expect([keys.length, new Set(keys).size]).toEqual([2, 1]);
});

test('each command has an idempotency key of its own, or the one that it was given', async () => {
  api.script.createKey = () => ({ json: { ...key(), key: 'sk-deja-new' } });
  await run('keys create search --tenant acme');
  await run('keys create search --tenant acme');
  await run('keys create search --tenant acme --idempotency-key 0123456789abcdef');
  const keys = api.seen.map(({ headers }) => headers['idempotency-key']);
  expect(new Set(keys).size).toBe(3);
  expect(keys[2]).toBe('0123456789abcdef');
});

test('a POST that stays lost ends with how to repeat it safely', async () => {
  api.script.createKey = () => 'hang up';
  const { code, err } = await run('keys create search --tenant acme');
  expect([code, api.seen.length]).toEqual([3, 2]);
  expect(err).toContain(`--idempotency-key ${String(api.seen[0]!.headers['idempotency-key'])}`);
});

test('a change that cannot be repeated safely is made once', async () => {
  api.script.deleteKey = () => 'hang up';
  const { code, err } = await run(`keys delete ${ID}`);
  expect([code, api.seen.length]).toEqual([3, 1]);
  expect(err).toContain('look before you repeat it');
});

test('a 503 is waited for as long as it says, at most ten seconds, and once', async () => {
  api.script.getKey = inTurn({ error: 'overloaded', message: 'No router has answered.', headers: { 'retry-after': '2' } }, { json: key() });
  expect(await run(`keys get ${ID}`)).toMatchObject({ code: 0, waitedMs: [2000] });
  api.script.getKey = () => ({ error: 'overloaded', message: 'No router has answered.', headers: { 'retry-after': '3600' } });
  expect(await run(`keys get ${ID}`)).toMatchObject({ code: 1, waitedMs: [10_000], err: 'deja: No router has answered.\n  code: overloaded, request: r-1\n' });
});

test('what the API refuses ends with 1, its message and what it is about', async () => {
  api.script.createKey = () => ({ error: 'invalid_value', message: "Invalid value for 'tenant'.", param: 'tenant' });
  expect(await run('keys create search --tenant acme')).toMatchObject({ code: 1, out: '', err: "deja: Invalid value for 'tenant'.\n  param: tenant, code: invalid_value, request: r-1\n" });
});

test('a key that is refused ends with where it was found, and not with the key', async () => {
  const { code, err } = await run('keys list', { env: { DEJA_ADMIN_KEY: 'wrong-key' } });
  expect([code, err]).toEqual([1, 'deja: Incorrect admin key provided.\n  code: invalid_api_key, request: r-1\n  The admin key was taken from DEJA_ADMIN_KEY.\n']);
});

test('an address at which there is nothing is told from a thing that is not there', async () => {
  const elsewhere = await deja(['keys', 'get', ID], { api, env: { DEJA_URL: `${api.url}/behind-a-prefix` } });
  expect(elsewhere).toMatchObject({ code: 1, err: expect.stringContaining('DEJA_ADMIN_PORT') });
  api.script.getKey = () => ({ error: 'not_found', message: 'There is no such key.' });
  api.script.cacheFeedback = () => ({ error: 'not_found', message: 'There is no such entry.' });
  for (const line of [`keys get ${ID}`, `cache feedback ${ID} --wrong`]) expect(await run(line)).toMatchObject({ code: 1, err: expect.not.stringContaining('DEJA_ADMIN_PORT') });
});

test('where nobody listens, or who answers is not deja, it ends with 3', async () => {
  const gone = await ScriptedAdminApi.start();
  const env = { DEJA_URL: gone.url, DEJA_ADMIN_KEY: 'k' };
  await gone.close();
  expect(await deja(['keys', 'list'], { api: null, env })).toMatchObject({ code: 3, err: `deja: ${env.DEJA_URL} cannot be reached (ECONNREFUSED).\n  Does the cluster run? npm start starts one here.\n` });
  api.script.getKey = () => ({ raw: '<html>Bad gateway</html>', status: 502 });
  expect(await run(`keys get ${ID}`)).toMatchObject({ code: 3, err: expect.stringContaining('answered 502, and not as deja does') });
  expect(await deja(['keys', 'list'], { api: null })).toMatchObject({ code: 3, err: expect.stringContaining('/deja/.deja/run/ready.json') });
});

test('the admin key follows no answer that leads elsewhere', async () => {
  api.script.getKey = () => ({ raw: '', status: 307, headers: { location: 'http://127.0.0.1:1/' } });
  expect(await run(`keys get ${ID}`)).toMatchObject({ code: 3, err: expect.stringContaining('answered 307') });
});

test('an answer of another version of deja is told as that, and --json prints it all the same', async () => {
  api.script.getKey = () => ({ raw: '{"object":"key","id":7}', status: 200 });
  expect(await run(`keys get ${ID}`)).toMatchObject({ code: 1, out: '', err: expect.stringContaining('"id"') });
  expect(await run(`keys get ${ID} --json`)).toMatchObject({ code: 0, out: '{\n  "object": "key",\n  "id": 7\n}\n' });
});

test('an update is of what was read, and starts again when somebody else was faster', async () => {
  let revision = 1;
  api.script.getKey = () => ({ json: key({ limits: { requests_per_minute: revision } }), etag: `"${revision}"` });
  api.script.updateKey = ({ headers, body }) => {
    if (revision++ === 1) return { error: 'precondition_failed', message: 'It was changed since.' };
    return { json: key({ name: JSON.stringify([headers['if-match'], body]) }) };
  };
  const { code, out } = await run(`keys update ${ID} --limit concurrency=4 --json`);
  expect([code, JSON.parse(out).name]).toEqual([0, '["\\"2\\"",{"limits":{"requests_per_minute":2,"concurrency":4}}]']);
  api.script.updateKey = () => ({ error: 'precondition_failed', message: 'It was changed since.' });
  expect(await run(`keys update ${ID} --limit concurrency=4`)).toMatchObject({ code: 1, err: expect.stringContaining('It was changed since.') });
});

test('--json of a list is one array with the rows of all pages, as they came', async () => {
  const pages = [list([request({ user: 'a\u001b[2J' })], 'next'), list([request({ user: 'b' }), request()], null)];
  api.script.listRequests = ({ query }) => ({ json: pages[query['cursor'] === 'next' ? 1 : 0]! });
  const { code, out } = await run('requests list --json');
  expect([code, JSON.parse(out)]).toEqual([0, pages.flatMap(({ data }) => data)]);
  expect(out).not.toContain('\u001b');
  expect(api.seen.map(({ query }) => query)).toEqual([{ limit: '1000' }, { limit: '1000', cursor: 'next' }]);
  api.script.listRequests = () => ({ json: list([]) });
  expect(await run('requests list --json')).toMatchObject({ code: 0, out: '[]\n' });
});

test('an array that broke off in the middle is not ended: no reader takes it for all', async () => {
  api.script.listRequests = ({ query }) => (query['cursor'] === undefined ? { json: list([request()], 'next') } : { error: 'internal_error', message: 'Something went wrong.' });
  const { code, out } = await run('requests list --json');
  expect(code).toBe(1);
  expect(() => JSON.parse(out)).toThrow('JSON');
});

test('a table says when there are more rows, and shows them when told', async () => {
  const rows = Array.from({ length: 250 }, (_, n) => request({ tenant: `t${n}` }));
  api.script.listRequests = ({ query }) => {
    const from = Number(query['cursor'] ?? 0);
    const next = from + Number(query['limit']);
    return { json: list(rows.slice(from, next), next < rows.length ? String(next) : null) };
  };
  const first = await run('requests list');
  expect([first.out.split('\n').length - 2, first.err]).toEqual([100, 'These are the first 100; there are more: --max 1000, or --all.\n']);
  const some = await run('requests list --max 3');
  expect([some.out.split('\n').length - 2, some.err]).toEqual([3, 'These are the first 3; there are more: --max 30, or --all.\n']);
  const all = await run('requests list --all');
  expect([all.out.split('\n').length - 2, all.err]).toEqual([250, '']);
  expect(JSON.parse((await run('requests list --max 2 --json')).out)).toHaveLength(2);
});

test.each(['.', '..', ''])('the id %j is refused before it becomes another address', async (id) => {
  expect(await deja(['keys', 'delete', id], { api })).toMatchObject({ code: 2, err: expect.stringContaining('is the id of nothing') });
  expect(api.seen).toEqual([]);
});

test('an export is passed on as it comes, and one that broke off ends with 3', async () => {
  api.script.exportUsage = () => ({ lines: ['{"id":1}', '{"id":2}'] });
  expect(await run('usage export --from 7d --model gpt-4o')).toMatchObject({ code: 0, out: '{"id":1}\n{"id":2}\n', err: '' });
  expect(api.seen[0]?.query).toEqual({ format: 'jsonl', model: 'gpt-4o', from: '2026-01-03T00:00:00.000Z' });
  api.script.exportUsage = () => ({ lines: ['id', '1'], breaksOff: true });
  expect(await run('usage export --format csv')).toMatchObject({ code: 3, out: 'id\n1\n', err: expect.stringContaining('what was written is not all') });
  api.script.exportUsage = () => ({ error: 'permission_denied', message: 'This token may not.' });
  expect(await run('usage export')).toMatchObject({ code: 1, out: '', err: expect.stringContaining('This token may not.') });
});
