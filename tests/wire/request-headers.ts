import { bearer, GOOD_CHAT, JSON_TYPE, row, type BadInput, type Known } from './bad-input.ts';

const UNKNOWN = { status: 401, code: 'invalid_api_key' };

/** Credentials in every form but the right one. */
export function credentials({ key, adminKey }: Known): BadInput[] {
  const body = JSON.stringify(GOOD_CHAT);
  const sent = (name: string, headers: [string, string][], target = '/v1/chat/completions'): BadInput => row(`credential: ${name}`, { target, headers: [...headers, JSON_TYPE], body }, UNKNOWN);
  const forms: [name: string, value: string][] = [
    ['nothing', ''], ['Bearer alone', 'Bearer'], ['Bearer and a blank', 'Bearer  '], ['another scheme', `Basic ${Buffer.from(`user:${key}`).toString('base64')}`], ['Digest', 'Digest username="x"'], ['Token', `Token ${key}`], ['the scheme twice', `Bearer Bearer ${key}`],
    ['two keys', `Bearer ${key} ${key}`], ['two keys with a comma', `Bearer ${key}, Bearer ${key}`], ['quotes around the key', `Bearer "${key}"`], ['angle brackets around the key', `Bearer <${key}>`], ['no space', `Bearer${key}`], ['a colon', `Bearer: ${key}`],
    ['the key in capitals', `Bearer ${key.toUpperCase()}`], ['the key cut short', `Bearer ${key.slice(0, -1)}`], ['the key with one character more', `Bearer ${key}x`], ['the key with its last character changed', `Bearer ${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`],
    ['the public part of the key', `Bearer ${key.split('-').slice(0, 3).join('-')}`], ['the prefix of keys', 'Bearer sk-deja-'], ['a key of OpenAI’s', 'Bearer sk-proj-0123456789abcdef'], ['a key nobody has', 'Bearer sk-deja-00000000-0000000000000000000000000000000000000000000'], ['null', 'Bearer null'], ['undefined', 'Bearer undefined'],
    ['a name that every object has', 'Bearer __proto__'], ['an asterisk', 'Bearer *'], ['a pattern', 'Bearer sk-deja-%'], ['a quote for SQL', "Bearer ' or '1'='1"], ['a line of Lua', "Bearer '..redis.call('flushall')..'"], ['bytes beyond ASCII', 'Bearer \xff\xfe'], ['600 characters', `Bearer ${'x'.repeat(600)}`],
    ['an admin key', `Bearer ${adminKey}`],
  ];
  return [
    sent('none', []),
    ...forms.map(([name, value]) => sent(name, [['authorization', value]])),
    sent('in api-key, wrong', [['api-key', 'sk-deja-wrong']]),
    sent('in x-api-key, wrong', [['x-api-key', 'sk-deja-wrong']]),
    sent('in a header for something else', [['x-auth-token', key]]),
    sent('in a cookie', [['cookie', `key=${key}; authorization=Bearer ${key}`]]),
    sent('in proxy-authorization', [['proxy-authorization', `Bearer ${key}`]]),
    sent('in the query', [], `/v1/chat/completions?key=${key}&api_key=${key}&access_token=${key}`),
    sent('wrong in authorization, right in api-key', [['authorization', 'Bearer sk-deja-wrong'], ['api-key', key]]),
    sent('wrong in api-key, right in x-api-key', [['api-key', 'sk-deja-wrong'], ['x-api-key', key]]),
    ...['completions', 'responses', 'embeddings', 'moderations', 'images/generations', 'audio/speech', 'batches'].map((path) => sent(`none at ${path}`, [], `/v1/${path}`)),
    row('credential: none at files', { target: '/v1/files', headers: [['content-type', 'multipart/form-data; boundary=x']], body: '--x--\r\n' }, UNKNOWN),
    ...['models', 'models/known', 'files', 'files/x', 'files/x/content', 'batches', 'batches/x', 'responses/x', 'responses/x/input_items'].map((path) => row(`credential: none at GET ${path}`, { method: 'GET', target: `/v1/${path}` }, UNKNOWN)),
  ];
}

/** Headers of deja's own with values they cannot have. */
const ODD_VALUES: [header: string, values: string[]][] = [
  ['x-cache-mode', ['maybe', '', 'exact,semantic', 'on', 'true', '1', 'off off', 'exact;', '__proto__', '\xff']],
  ['x-cache-ttl', ['long', '', '-1', '1.5', '1e3', '0x10', 'NaN', 'Infinity', '60s', '1 2', '9999999999', '+1', '1,2', '٣', 'null']],
  ['cache-control', ['max-age=-1', 'max-age=x', 'max-age=1.5', 'max-age=99999999999', 'max-age=""', 'max-age=1e3', 'max-age="a"', 'no-store, max-age=,', 'max-age= ']],
  ['x-deja-tags', ['nothing', '=', '=v', 'a', 'a=b,c', `${'k'.repeat(200)}=v`, `k=${'v'.repeat(200)}`, Array.from({ length: 17 }, (_, i) => `k${i}=v`).join()]],
  ['x-deja-require', ['region', 'region=', '=eu', 'zone=eu', 'region=a,region=b', 'tag=', 'tag=a=b', 'region=a b', `tag=${'x'.repeat(400)}`, Array.from({ length: 17 }, (_, i) => `tag=t${i}`).join(), 'region=\xff', ',', 'region=nowhere']],
  ['x-deja-user', ['u'.repeat(513), 'ü'.repeat(600)]],
];

export function ownHeaders({ key }: Known): BadInput[] {
  const body = JSON.stringify({ ...GOOD_CHAT, messages: [{ role: 'user', content: 'Never asked before.' }] });
  const refused = { status: 400, code: 'invalid_value' };
  return [
    ...ODD_VALUES.flatMap(([header, values]) => values.map((value) => row(`${header}: ${JSON.stringify(value.slice(0, 40))}${value.length > 40 ? ` and more, ${value.length} in all` : ''}`, { headers: [bearer(key), JSON_TYPE, [header, value]], body }, { ...refused, param: header }))),
    row('x-cache-mode twice', { headers: [bearer(key), JSON_TYPE, ['x-cache-mode', 'exact'], ['x-cache-mode', 'off']], body }, { ...refused, param: 'x-cache-mode' }),
    row('x-cache-ttl twice', { headers: [bearer(key), JSON_TYPE, ['x-cache-ttl', '1'], ['x-cache-ttl', '2']], body }, { ...refused, param: 'x-cache-ttl' }),
    row('only-if-cached without an entry', { headers: [bearer(key), JSON_TYPE, ['cache-control', 'only-if-cached']], body }, { status: 504, code: 'cache_miss' }),
    row('only-if-cached in capitals', { headers: [bearer(key), JSON_TYPE, ['Cache-Control', 'ONLY-IF-CACHED, no-store']], body }, { status: 504, code: 'cache_miss' }),
    row('a user in the body that is too long', { headers: [bearer(key), JSON_TYPE], body: JSON.stringify({ ...GOOD_CHAT, user: 'u'.repeat(513) }) }, { ...refused, param: 'user' }),
  ];
}
