import { bearer, JSON_TYPE, row, type BadInput, type Known } from './bad-input.ts';

const UNKNOWN = { status: 401, code: 'invalid_api_key' };
const REFUSED = { status: 400, code: 'invalid_value' };
const TENANT = { id: 'wire', name: 'Wire' };

/** The admin API: who comes, what for, and with which words. */
export function adminCalls({ key, adminKey }: Known): BadInput[] {
  const headers: [string, string][] = [bearer(adminKey), JSON_TYPE];
  const tenant = (name: string, body: unknown, param: string | null, code = 'invalid_value'): BadInput => row(`admin: a tenant with ${name}`, { target: '/admin/v1/tenants', headers, body: JSON.stringify(body) }, { status: 400, code, param });
  const made = (name: string, body: string | Buffer, expected: Omit<BadInput, 'name' | 'bytes'>, more: [string, string][] = []): BadInput => row(`admin: ${name}`, { target: '/admin/v1/tenants', headers: [...headers, ...more], body }, expected);
  const get = (path: string, expected: Omit<BadInput, 'name' | 'bytes'>): BadInput => row(`admin: GET ${path.slice(0, 60)}`, { method: 'GET', target: `/admin/v1/${path}`, headers }, expected);
  return [
    ...['', 'Bearer', `Bearer ${key}`, `Basic ${adminKey}`, `Bearer ${adminKey}x`, `Bearer ${adminKey.slice(1)}`, `Bearer ${adminKey} ${adminKey}`, 'Bearer dat-deja-unknown', `Bearer "${adminKey}"`, 'Bearer null'].map((value, i) =>
      row(`admin: credential number ${i + 1} that opens nothing`, { target: '/admin/v1/tenants', headers: [['authorization', value], JSON_TYPE], body: JSON.stringify(TENANT) }, UNKNOWN)),
    row('admin: the key in api-key', { target: '/admin/v1/tenants', headers: [['api-key', adminKey], JSON_TYPE], body: JSON.stringify(TENANT) }, UNKNOWN),
    row('admin: the key in the query', { method: 'GET', target: `/admin/v1/tenants?key=${adminKey}` }, UNKNOWN),
    ...['nothing', 'tenants/x/y/z', '__proto__', 'constructor', 'tenants%2fx%2fkeys'].map((path) => get(path, { status: 404, code: 'not_found' })),
    ...['tenants/nobody', 'keys/nobody', 'admin-tokens/nobody', 'credentials/nobody', 'deployments/nobody', 'alerts/nobody', 'requests/nobody', 'jobs/nobody', 'tenants/__proto__', 'tenants/%00', 'keys/%00', 'requests/%00', 'tenants/..%2fkeys', `keys/${'x'.repeat(1000)}`, 'jobs/%f0%9f%98%80'].map((path) => get(path, { status: 404, code: 'not_found' })),
    ...['tenants', 'keys', 'admin-tokens', 'credentials', 'deployments', 'alerts', 'audit', 'requests', 'jobs'].flatMap((list) => ['limit=0', 'limit=x', 'limit=-1', 'limit=1&limit=2', 'cursor=', 'cursor=nonsense', 'cursor=%00', 'cursor=eyJhIjoxfQ', `cursor=${'x'.repeat(9000)}`, 'nobody=1', '__proto__=1'].map((query) => get(`${list}?${query}`, { ...REFUSED, param: query.split('=')[0] ?? null }))),
    ...['from=yesterday', 'from=2026-13-01', 'from=0000-01-01', 'to=x', 'status=x', 'tenant=Acme!'].map((query) => get(`requests?${query}`, { ...REFUSED, param: query.split('=')[0] ?? null })),
    ...['PUT', 'PATCH', 'TRACE', 'OPTIONS'].map((method) => row(`admin: ${method} of a list`, { method, target: '/admin/v1/tenants', headers, body: '{}' }, { status: 404, code: 'not_found' })),
    tenant('an id that is no slug', { ...TENANT, id: 'Wire!' }, 'id'),
    tenant('an id of another type', { ...TENANT, id: 7 }, 'id'),
    tenant('an id that is too long', { ...TENANT, id: 'x'.repeat(64) }, 'id'),
    tenant('a name with a line break', { ...TENANT, name: 'a\nb' }, 'name'),
    tenant('a name with a NUL', { ...TENANT, name: 'a\0b' }, 'name'),
    tenant('a name with half a character', { ...TENANT, name: '\ud800' }, 'name'),
    tenant('a name that turns its direction', { ...TENANT, name: 'a\u202eb' }, 'name'),
    tenant('a name nobody sees', { ...TENANT, name: '\u200b' }, 'name'),
    tenant('a name that is too long', { ...TENANT, name: 'x'.repeat(201) }, 'name'),
    tenant('limits that are a list', { ...TENANT, limits: [] }, 'limits'),
    tenant('a limit below zero', { ...TENANT, limits: { requests_per_minute: -1 } }, 'limits.requests_per_minute'),
    tenant('a limit in text', { ...TENANT, limits: { requests_per_minute: '5' } }, 'limits.requests_per_minute'),
    tenant('a limit nobody knows', { ...TENANT, limits: { requests: 5 } }, 'limits.requests'),
    tenant('a budget of no amount', { ...TENANT, budgets: [{ usd: 'much', period: 'month' }] }, 'budgets[0].usd'),
    tenant('a budget below zero', { ...TENANT, budgets: [{ usd: '-1', period: 'month' }] }, 'budgets[0].usd'),
    tenant('a budget of no period', { ...TENANT, budgets: [{ usd: '1', period: 'century' }] }, 'budgets[0].period'),
    tenant('a budget in no time zone', { ...TENANT, budgets: [{ usd: '1', period: 'month', time_zone: 'Mars/Olympus' }] }, 'budgets[0].time_zone'),
    tenant('a capture mode of no meaning', { ...TENANT, capture: 'all' }, 'capture'),
    tenant('no models', { ...TENANT, models: [] }, 'models'),
    tenant('a field nobody knows', { ...TENANT, role: 'owner' }, 'role'),
    tenant('a field of the answer', { ...TENANT, created_at: '2026-01-01T00:00:00Z' }, 'created_at'),
    made('a body of nothing', '', { status: 400, code: 'invalid_json' }),
    made('a list', '[]', { status: 400, code: 'invalid_json' }),
    made('half an object', '{"id":"wire"', { status: 400, code: 'invalid_json' }),
    made('a member twice', '{"id":"wire","id":"other"}', { ...REFUSED, param: 'id' }),
    made('a prototype', '{"id":"wire","__proto__":{"role":"owner"}}', REFUSED),
    made('a body that is no UTF-8', Buffer.from('{"id":"\xff"}', 'latin1'), { status: 400, code: 'invalid_json' }),
    made('a compressed body', JSON.stringify(TENANT), { ...REFUSED, param: 'content-encoding' }, [['content-encoding', 'gzip']]),
    made('more than 2 MiB', JSON.stringify({ ...TENANT, name: 'x'.repeat(2 * 1024 * 1024) }), { status: 413, code: 'request_too_large' }),
    ...['text/plain', 'application/json; charset=latin1', 'application/json-seq', 'multipart/form-data; boundary=x', ''].map((type) => row(`admin: a tenant of the type ${JSON.stringify(type)}`, { target: '/admin/v1/tenants', headers: [bearer(adminKey), ['content-type', type]], body: JSON.stringify(TENANT) }, { ...REFUSED, param: 'content-type' })),
    ...['short', 'x'.repeat(256), 'with a tab\tin it, long', 'grüße-grüße-grüße', ' ', ''].map((value) => made(`idempotency-key ${JSON.stringify(value.slice(0, 24))}`, JSON.stringify(TENANT), { ...REFUSED, param: 'Idempotency-Key' }, [['idempotency-key', value]])),
    ...['1', '"x"', 'W/"1"', '"1", "2"', '"1', '"12345678901234567"'].map((etag) => row(`admin: if-match ${etag}`, { method: 'PATCH', target: '/admin/v1/tenants/default', headers: [...headers, ['if-match', etag]], body: '{"name":"x"}' }, { ...REFUSED, param: 'If-Match' })),
  ];
}
