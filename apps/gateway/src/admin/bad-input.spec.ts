import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, type AdminOperation } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import fc from 'fast-check';
import { scriptedAdmin, vaultKeyPair, type ScriptedAdmin } from '../../test/scripted-admin.ts';
import type { CacheAdmin } from '../cache/cache-admin.ts';

const PLANTED = 'planted-9f3c1e7a5b2d4860';
const MIB = 1024 * 1024;
const good = { provider: 'openai', name: 'main', value: PLANTED };

type Bad = [what: string, path: string, body: unknown, param: string | null, code?: string];

const CREATE: Bad[] = [
  ['no provider', 'credentials', { name: 'main', value: PLANTED }, 'provider', 'missing_required_parameter'],
  ['no name', 'credentials', { provider: 'openai', value: PLANTED }, 'name', 'missing_required_parameter'],
  ['no value', 'credentials', { provider: 'openai', name: 'main' }, 'value', 'missing_required_parameter'],
  ['a provider that is no text', 'credentials', { ...good, provider: 1 }, 'provider'],
  ['an empty provider', 'credentials', { ...good, provider: '' }, 'provider'],
  ['a name with a slash', 'credentials', { ...good, name: 'a/b' }, 'name'],
  ['a name that is too long', 'credentials', { ...good, name: 'a'.repeat(64) }, 'name'],
  ['a name that is null', 'credentials', { ...good, name: null }, 'name'],
  ['an empty value', 'credentials', { ...good, value: '' }, 'value'],
  ['a value with a blank', 'credentials', { ...good, value: `${PLANTED} ` }, 'value'],
  ['a value with a line break', 'credentials', { ...good, value: `${PLANTED}\n` }, 'value'],
  ['a value beyond ASCII', 'credentials', { ...good, value: `${PLANTED}ä` }, 'value'],
  ['a value that is too long', 'credentials', { ...good, value: PLANTED.repeat(400) }, 'value'],
  ['a value in a list', 'credentials', { ...good, value: [PLANTED] }, 'value'],
  ['a value in an object', 'credentials', { ...good, value: { [PLANTED]: PLANTED } }, 'value'],
  ['a negative weight', 'credentials', { ...good, weight: -1 }, 'weight'],
  ['a weight beyond all others', 'credentials', { ...good, weight: 1e9 }, 'weight'],
  ['a weight in text', 'credentials', { ...good, weight: '1' }, 'weight'],
  ['limits that are a list', 'credentials', { ...good, limits: [] }, 'limits'],
  ['a limit of nothing', 'credentials', { ...good, limits: { concurrency: 0 } }, 'limits.concurrency'],
  ['a broken limit', 'credentials', { ...good, limits: { requests_per_minute: 1.5 } }, 'limits.requests_per_minute'],
  ['a limit that is null', 'credentials', { ...good, limits: { tokens_per_day: null } }, 'limits.tokens_per_day'],
  ['a limit nobody knows', 'credentials', { ...good, limits: { requests: 1 } }, 'limits.requests'],
  ['a tenant that is no slug', 'credentials', { ...good, tenant: 'Acme!' }, 'tenant'],
  ['an empty tenant', 'credentials', { ...good, tenant: '' }, 'tenant'],
  ['an address that is none', 'credentials', { ...good, base_url: 'nowhere' }, 'base_url'],
  ['an address of another scheme', 'credentials', { ...good, base_url: 'file:///etc/passwd' }, 'base_url'],
  ['an address with a user', 'credentials', { ...good, base_url: `https://user:${PLANTED}@host/v1` }, 'base_url'],
  ['an address with a query', 'credentials', { ...good, base_url: `https://host/v1?key=${PLANTED}` }, 'base_url'],
  ['an address with a fragment', 'credentials', { ...good, base_url: 'https://host/v1#x' }, 'base_url'],
  ['an address without a host', 'credentials', { ...good, base_url: 'https://' }, 'base_url'],
  ['a field nobody knows', 'credentials', { ...good, baseUrl: 'https://host' }, 'baseUrl'],
  ['a field only the router may set', 'credentials', { ...good, disabled: true }, 'disabled'],
  ['a value as the name of a field', 'credentials', { ...good, [PLANTED]: 1 }, null],
  ['a value as the name of a limit', 'credentials', { ...good, limits: { [PLANTED]: 1 } }, null],
];
const OTHERS: Bad[] = [
  ['a change of nothing', 'PATCH credentials/x', {}, null],
  ['a change of the name', 'PATCH credentials/x', { name: 'b' }, 'name'],
  ['a change of the value', 'PATCH credentials/x', { value: PLANTED }, 'value'],
  ['a switch that is none', 'PATCH credentials/x', { disabled: 'yes' }, 'disabled'],
  ['a weight that is null', 'PATCH credentials/x', { weight: null }, 'weight'],
  ['a rotation without a value', 'credentials/x/rotate', { grace_s: 1 }, 'value', 'missing_required_parameter'],
  ['a negative grace', 'credentials/x/rotate', { value: PLANTED, grace_s: -1 }, 'grace_s'],
  ['a grace of more than 30 days', 'credentials/x/rotate', { value: PLANTED, grace_s: 2_592_001 }, 'grace_s'],
  ['a broken grace', 'credentials/x/rotate', { value: PLANTED, grace_s: 0.5 }, 'grace_s'],
  ['a rotation with a field nobody knows', 'credentials/x/rotate', { value: PLANTED, grace: 1 }, 'grace'],
  ['a rewrap of something', 'vault/rewrap', { key: 'x' }, 'key'],
  ['a drain with a field', 'deployments/p/m/drain', { force: true }, 'force'],
  ['a delete with a field', 'DELETE credentials/x', { force: true }, 'force'],
  ['a plan of no model', 'plan/explain', {}, 'model', 'missing_required_parameter'],
  ['a plan of an empty model', 'plan/explain', { model: '' }, 'model'],
  ['a plan for an endpoint nobody knows', 'plan/explain', { model: 'm', endpoint: 'images/generations' }, 'endpoint'],
  ['a plan of a body that is text', 'plan/explain', { model: 'm', body: 'Hi' }, 'body'],
  ['a plan of a request that is none', 'plan/explain', { model: 'm', body: {} }, 'body.messages', 'missing_required_parameter'],
  ['a plan of a request with a bad field', 'plan/explain', { model: 'm', body: { messages: [{ role: 'robot', content: 'Hi' }] } }, 'body.messages[0].role'],
  ['a plan for a tenant that is no slug', 'plan/explain', { model: 'm', tenant: 'A' }, 'tenant'],
  ['a plan for two regions', 'plan/explain', { model: 'm', requires: { region: ['a', 'b'] } }, 'requires.region'],
  ['a receiver with a field nobody knows', 'alerts', { name: 'a', when: { metric: 'new_user' }, notify: [{ webhook: 'https://hooks.example.com' }, { hook: 'x' }] }, 'notify[1].hook'],
  ['a receiver with no address', 'alerts', { name: 'a', when: { metric: 'new_user' }, notify: [{ webhook: 'nowhere' }] }, 'notify[0].webhook'],
  ['a threshold of no sense', 'alerts', { name: 'a', when: { metric: 'error_rate', above: 80 }, notify: [{ email: 'a@example.com' }] }, 'when.above'],
  ['a plan for a requirement nobody knows', 'plan/explain', { model: 'm', requires: { zone: 'a' } }, 'requires.zone'],
];

describe('what is no good is refused by name', () => {
  let admin: ScriptedAdmin;
  beforeAll(async () => {
    admin = await scriptedAdmin();
  });
  afterAll(() => admin.close());

  /** No call to the router was made, and no value is in the answer or the log. */
  const expectNoTrace = (body: string): void => {
    expect(admin.calls).toEqual([]);
    expect(`${body}\n${admin.lines.join('\n')}`).not.toContain(PLANTED);
  };

  test.each([...CREATE, ...OTHERS])('%s (%s): a 400 that names the field, quotes no value, and reaches no router', async (_what, path, body, param, code = 'invalid_value') => {
    const [method, to] = path.includes(' ') ? (path.split(' ') as ['PATCH' | 'DELETE', string]) : (['POST', path] as const);
    const reply = await admin.send({ method, url: `/admin/v1/${to}`, payload: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
    const message = expect.stringContaining(param === null ? '' : `'${param.replace('body.', '')}'`);
    expect([reply.statusCode, reply.json()]).toEqual([400, { error: { message, type: 'invalid_request_error', param, code } }]);
    expectNoTrace(reply.body);
  });

  const raw = (value: string): string => JSON.stringify(good).replace(JSON.stringify(PLANTED), value);
  test.each<[what: string, payload: string | Buffer, status: number, code: string, headers?: Record<string, string>]>([
    ['no body', '', 400, 'invalid_json'],
    ['half an object', `{"value": "${PLANTED}"`, 400, 'invalid_json'],
    ['a value without quotes', raw(PLANTED), 400, 'invalid_json'],
    ['a list', JSON.stringify([good]), 400, 'invalid_json'],
    ['text', JSON.stringify(PLANTED), 400, 'invalid_json'],
    ['null', 'null', 400, 'invalid_json'],
    ['two objects', `${JSON.stringify(good)}${JSON.stringify(good)}`, 400, 'invalid_json'],
    ['what is no UTF-8', Buffer.concat([Buffer.from('{"value":"'), Buffer.from([0xff]), Buffer.from('"}')]), 400, 'invalid_json'],
    ['a value that stands there as a member twice', raw('1').replace('{', `{"${PLANTED}":1,"${PLANTED}":2,`), 400, 'invalid_value'],
    ['a member that stands there twice', JSON.stringify({ ...good, limits: 1 }).replace('1}', `{"${PLANTED}":1,"${PLANTED}":2}}`), 400, 'invalid_value'],
    ['another type', JSON.stringify(good), 400, 'invalid_value', { 'content-type': 'text/plain' }],
    ['a type that only begins like JSON', JSON.stringify(good), 400, 'invalid_value', { 'content-type': 'application/json-seq' }],
    ['another charset', JSON.stringify(good), 400, 'invalid_value', { 'content-type': 'application/json; charset=latin1' }],
    ['a form', JSON.stringify(good), 400, 'invalid_value', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['a compressed body', JSON.stringify(good), 400, 'invalid_value', { 'content-encoding': 'gzip' }],
    ['more than 2 MiB', JSON.stringify({ ...good, name: 'x'.repeat(2 * MIB) }), 413, 'request_too_large'],
  ])('%s is refused, and not repeated', async (_what, payload, status, code, headers = {}) => {
    const reply = await admin.send({ method: 'POST', url: '/admin/v1/credentials', payload, headers: { 'content-type': 'application/json', ...headers } });
    expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code]).toEqual([status, code]);
    expectNoTrace(reply.body);
  });

  test('a body of unknown length is read up to 2 MiB', async () => {
    const sent = (length: number): ReturnType<ScriptedAdmin['send']> => {
      const text = JSON.stringify({ weight: 'x', name: 'x'.repeat(length) });
      return admin.send({ method: 'PATCH', url: '/admin/v1/credentials/x', payload: Readable.from([text.slice(0, 10), text.slice(10)].map((part) => Buffer.from(part))), headers: { 'content-type': 'application/json' } });
    };
    expect([(await sent(1000)).statusCode, (await sent(2 * MIB)).statusCode]).toEqual([400, 413]);
  });

  test.each([
    ['limit=0', 'limit'], ['limit=1001', 'limit'], ['limit=-1', 'limit'], ['limit=1.5', 'limit'], ['limit=ten', 'limit'], ['limit=', 'limit'], ['limit=1&limit=2', 'limit'],
    ['cursor=', 'cursor'], ['after=x', 'after'],
  ])('a list with ?%s is refused by name', async (query, param) => {
    for (const list of ['credentials', 'deployments']) {
      const scripted = await scriptedAdmin({ script: { list_credentials: () => ({ credentials: [] }), list_deployments: () => ({ deployments: [] }) } });
      const reply = await scripted.send({ method: 'GET', url: `/admin/v1/${list}?${query}` });
      expect([reply.statusCode, reply.json<{ error: { param: string } }>().error.param]).toEqual([400, param]);
      await scripted.close();
    }
  });

  test('an object with a member named __proto__ is a field nobody knows, not a prototype', async () => {
    const reply = await admin.send({ method: 'POST', url: '/admin/v1/credentials', payload: `{"provider":"openai","name":"a","value":"v","__proto__":{"weight":5}}`, headers: { 'content-type': 'application/json' } });
    expect(reply.statusCode).toBe(400);
  });

  test.each([
    ['tenants', '{"id":"a","limits":{"models":{"__proto__":{"concurrency":1}}}}', 'limits.models.__proto__'],
    ['keys', '{"tenant":"a","name":"x","tags":{"team":"a","__proto__":"b"}}', 'tags.__proto__'],
    ['keys', '{"tenant":"a","name":"x","per_user":{"models":{"\\u005f_proto__":{}}}}', 'per_user.models.__proto__'],
    ['keys', '{"tenant":"a","name":"x","budgets":[{"usd":"1","period":"day","__proto__":1}]}', 'budgets[0].__proto__'],
    ['plan/explain', '{"model":"m","body":{"messages":[{"role":"user","content":"Hi","x":{"__proto__":1}}]}}', 'body.messages[0].x.__proto__'],
    ['keys', '{"tenant":"a","name":"x","models":["__proto__"]}', 'models[0]'],
    ['keys', '{"tenant":"a","name":"x","budgets":[{"usd":"1","period":"day","model":"__proto__"}]}', 'budgets[0].model'],
    ['keys', '{"tenant":"a","name":"b","name":"c"}', 'name'],
    ['keys', '{"tenant":"a","name":"b","\\u006eame":"b"}', 'name'],
    ['keys', '{"tenant":"a","name":"b","limits":{"concurrency":1,"concurrency":1}}', 'concurrency'],
    ['keys/x/rotate', '{"grace_s":1,"grace_s":1}', 'grace_s'],
    ['deployments/p/m/drain', '{"a":1,"a":1}', 'a'],
  ])('a name that no object has, or a member that stands there twice, is not left out but refused by name: POST %s %s', async (path, payload, param) => {
    const reply = await admin.send({ method: 'POST', url: `/admin/v1/${path}`, payload, headers: { 'content-type': 'application/json' } });
    expect([reply.statusCode, reply.json<{ error: object }>().error, admin.calls]).toEqual([400, expect.objectContaining({ code: 'invalid_value', param }), []]);
  });

  test.each([
    [' '], ['\u00a0\u3000'], ['\u3164'], ['\u2800'], ['a\nb'], ['a\u0085b'], ['a\u2028b'], ['a\u200bb'], ['a\u200d'], ['\u202eevil'], ['\u2066a\u2069'], ['\ufeffa'], ['so\u00adft'], ['\u{e0041}a'],
  ])('a name for people that is blank or does not look as it is (%j) is refused by name, of tenants, keys and tokens alike', async (name) => {
    for (const [method, path, body] of [['POST', 'tenants', { name }], ['PATCH', 'tenants/a', { name }], ['POST', 'keys', { tenant: 'a', name }], ['PATCH', 'keys/x', { name }], ['POST', 'admin-tokens', { name, role: 'viewer' }]] as const) {
      const reply = await admin.send({ method, url: `/admin/v1/${path}`, payload: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
      expect([reply.statusCode, reply.json<{ error: object }>().error, admin.calls]).toEqual([400, expect.objectContaining({ code: 'invalid_value', param: 'name' }), []]);
    }
  });

  test.each([
    ['a query', 'GET', 'keys?user=a', undefined, 'user'], ['a query', 'GET', 'tenants/acme?limit=1', undefined, 'limit'], ['a query', 'DELETE', 'tenants/acme?force=1', undefined, 'force'], ['a query', 'POST', 'plan/explain?dry=1', { model: 'm' }, 'dry'],
    ['a NUL in a query', 'GET', 'requests?user=a%00', undefined, 'user'], ['a NUL in a cursor', 'GET', 'audit?cursor=%00', undefined, 'cursor'], ['a name given twice', 'GET', 'keys?tenant=a&tenant=b', undefined, 'tenant'],
    ['a NUL', 'POST', 'keys', { tenant: 'a', name: 'x', models: ['a\0'] }, 'models[0]'], ['half a character', 'POST', 'keys', { tenant: 'a', name: 'x', models: ['\ud800'] }, 'models[0]'],
    ['a NUL deep down', 'POST', 'plan/explain', { model: 'm', body: { messages: [{ role: 'user', content: 'a\0' }] } }, 'body.messages[0].content'], ['a NUL in a name', 'POST', 'plan/explain', { model: 'm', body: { 'a\0': 1 } }, null],
    ['a tenant without a name', 'PATCH', 'tenants/acme', { name: '' }, 'name'], ['a budget of less than nothing', 'POST', 'tenants', { budgets: [{ usd: '-1', period: 'day' }] }, 'budgets[0].usd'],
    ['a network that is none', 'POST', 'keys', { tenant: 'a', name: 'x', networks: ['10.0.0.0/33'] }, 'networks[0]'], ['a key without a tenant', 'POST', 'keys', { name: 'x' }, 'tenant'],
  ] as const)('%s: %s %s is a 400 that names it, and reaches no app', async (_what, method, path, body, param) => {
    const reply = await admin.send({ method, url: `/admin/v1/${path}`, ...(body && { payload: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
    expect([reply.statusCode, reply.json<{ error: { param: string | null } }>().error.param, admin.calls]).toEqual([400, param, []]);
  });

  test.each(['%00', 'a%00b', '%0a', '%7f', 'x'.repeat(513), 'x'.repeat(4000), '%', '%zz', '%ff', '%c3', '%ED%A0%80', '%25%00', 'a/%00/b', '?x'])('an id like %s is a 4xx in the shape of every error, and reaches no app', async (id) => {
    for (const [method, path] of [['GET', `tenants/${id}`], ['PATCH', `keys/${id}`], ['DELETE', `credentials/${id}`], ['POST', `keys/${id}/rotate`], ['POST', `deployments/${id}/drain`]] as const) {
      const reply = await admin.send({ method, url: `/admin/v1/${path}`, payload: '{"no":1}', headers: { 'content-type': 'application/json' } });
      expect([400, 404]).toContain(reply.statusCode);
      expect(reply.json()).toMatchObject({ error: { message: expect.any(String), type: 'invalid_request_error', code: expect.any(String) } });
    }
    expect(admin.calls).toEqual([]);
  });
});

test('whatever address, query, body and headers: never a 5xx, and an answer in the shape of every error', async () => {
  const { publicKey } = await vaultKeyPair();
  const nobody = (): never => {
    throw new DejaError('not_found', 'There is no such thing.');
  };
  const admin = await scriptedAdmin({
    script: {
      admin: nobody, audit: nobody, vault_key: () => ({ publicKey }), list_credentials: () => ({ credentials: [] }), create_credential: nobody, update_credential: nobody, rotate_credential: nobody, delete_credential: nobody,
      list_deployments: () => ({ deployments: [] }), drain_deployment: nobody, rewrap_vault: () => ({ currentKey: 'mk', rewrapped: 0, remaining: 0, failed: [] }),
    },
    usage: { admin: nobody },
    listBudgets: () => Promise.resolve({ object: 'list', data: [], has_more: false, next_cursor: null }),
    cache: { stats: nobody, invalidate: nobody, feedback: nobody } as unknown as CacheAdmin,
  });
  const SHAPE = ['message', 'type', 'param', 'code'];
  const OPERATIONS: readonly AdminOperation[] = ADMIN_OPERATIONS;
  const piece = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }).map((text) => encodeURIComponent(text.toWellFormed())), fc.constantFrom('%', '%00', '%2F', '..', '', '%2e%2e', 'rotate'));
  const path = fc.oneof(fc.tuple(fc.constantFrom(...OPERATIONS), piece).map(([{ path: known }, id]) => known.replaceAll(/\{\w+\}/g, () => id)), fc.array(piece, { maxLength: 4 }).map((parts) => parts.join('/')));
  const query = fc.oneof(fc.constant(''), fc.dictionary(fc.constantFrom('limit', 'cursor', 'tenant', 'user', 'from', 'group_by', 'format', 'status', '__proto__', 'x'), fc.string({ maxLength: 8 })).map((given) => `?${new URLSearchParams(given).toString()}`));
  const body = fc.oneof(fc.json(), fc.string(), fc.constant('{}'), fc.dictionary(fc.constantFrom('tenant', 'name', 'limits', 'budgets', 'models', 'yaml', 'grace_s', '__proto__'), fc.jsonValue()).map((given) => JSON.stringify(given)));
  const headers = fc.record({ 'if-match': fc.constantFrom('*', '"1"', 'x'), 'idempotency-key': fc.constantFrom('x', 'x'.repeat(20)), 'content-type': fc.constantFrom('application/json', 'text/plain') }, { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS'), path, query, body, headers, async (method, at, asked, payload, given) => {
      const reply = await admin.send({ method: method as 'GET', url: `/admin/v1/${at}${asked}`, headers: given, ...(method !== 'GET' && { payload }) });
      expect(reply.statusCode).toBeLessThan(500);
      expect(reply.statusCode < 400 ? SHAPE : Object.keys(reply.json<{ error: object }>().error)).toEqual(SHAPE);
    }),
    { numRuns: 500 },
  );
  await admin.close();
});
