import { gzipSync, brotliCompressSync, deflateSync } from 'node:zlib';
import { bearer, GOOD_CHAT, JSON_TYPE, row, type BadInput, type Known } from './bad-input.ts';

const NO_JSON = { status: 400, code: 'invalid_json' };
const INVALID = { status: 400, code: 'invalid_value' };
const ENDPOINTS = ['chat/completions', 'completions', 'responses', 'embeddings', 'moderations', 'images/generations', 'audio/speech', 'batches'];
const DEEP = 129;

/** Texts that are no JSON object. */
const NO_OBJECTS: [name: string, text: string | Buffer][] = [
  ['nothing', ''],
  ['blanks', '  \r\n\t '],
  ['null', 'null'],
  ['true', 'true'],
  ['a number', '7'],
  ['a string', '"text"'],
  ['a list', '[]'],
  ['a list of objects', '[{"model":"known"}]'],
  ['an object that is not closed', '{"model":"known"'],
  ['a string that is not closed', '{"model":"known'],
  ['an escape that is not finished', '{"model":"\\u12"}'],
  ['an escape nobody knows', '{"model":"\\x41"}'],
  ['a name alone', '{"model"}'],
  ['a name without quotes', '{model:"known"}'],
  ['single quotes', "{'model':'known'}"],
  ['a comma too many', '{"model":"known",}'],
  ['a comma too few', '{"model":"known" "n":1}'],
  ['a comment', '{"model":"known"/* a comment */}'],
  ['a comment by the line', '{"model":"known"} // a comment'],
  ['NaN', '{"model":"known","temperature":NaN}'],
  ['Infinity', '{"model":"known","temperature":Infinity}'],
  ['undefined', '{"model":undefined}'],
  ['True', '{"model":"known","stream":True}'],
  ['a hexadecimal number', '{"model":"known","n":0x1}'],
  ['a number with a leading zero', '{"model":"known","n":01}'],
  ['a number with a plus', '{"model":"known","n":+1}'],
  ['a number that ends in its point', '{"model":"known","n":1.}'],
  ['a number that begins with its point', '{"model":"known","n":.5}'],
  ['a number with a gap', '{"model":"known","n":1_000}'],
  ['a BigInt', '{"model":"known","n":1n}'],
  ['a line break in a string', '{"model":"kno\nwn"}'],
  ['a NUL in a string', '{"model":"kno\0wn"}'],
  ['two objects', '{"model":"known"}{"model":"known"}'],
  ['an object and a word', '{"model":"known"} x'],
  ['JSON lines', '{"model":"known"}\n{"model":"known"}\n'],
  ['a security prefix', `)]}'\n{"model":"known"}`],
  ['YAML', 'model: known\nmessages: []\n'],
  ['XML', '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
  ['a query', 'model=known&messages=x'],
  ['a byte order mark', Buffer.from(`\ufeff${JSON.stringify(GOOD_CHAT)}`)],
  ['UTF-16', Buffer.from(JSON.stringify(GOOD_CHAT), 'utf16le')],
  ['UTF-16 with its mark', Buffer.from(`\ufeff${JSON.stringify(GOOD_CHAT)}`, 'utf16le')],
  ['a byte that UTF-8 never has', Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff]), Buffer.from('"}')])],
  ['a character in too many bytes', Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xc0, 0x80]), Buffer.from('"}')])],
  ['half of a surrogate pair in UTF-8', Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])],
  ['a character that breaks off', Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xe2, 0x82]), Buffer.from('"}')])],
  ['Latin-1', Buffer.from('{"model":"größe"}', 'latin1')],
  ['zeros', Buffer.alloc(64)],
  ['gzip without its header', gzipSync(JSON.stringify(GOOD_CHAT))],
];

/** JSON that is well formed and means nothing good. */
const ODD_OBJECTS: [name: string, text: string, expected: Partial<BadInput>][] = [
  ['an object that is empty', '{}', { code: 'missing_required_parameter' }],
  [`lists in lists, ${DEEP} deep`, `{"model":"known","messages":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`, {}],
  [`objects in objects, ${DEEP} deep`, `{"model":"known","messages":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`, {}],
  ['lists in lists, 20,000 deep', `{"model":"known","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, {}],
  ['a member twice in an inner object', '{"model":"known","messages":[{"role":"user","role":"system","content":"x"}]}', { param: 'role' }],
  ['a member twice, once escaped', '{"model":"known","messages":[{"role":"user","content":"x","\\u0063ontent":"y"}]}', { param: 'content' }],
  ['the model twice, the last one bad', '{"model":"known","model":7,"messages":[{"role":"user","content":"x"}]}', { param: 'model' }],
  ['a number too large for its field', '{"model":"known","messages":[{"role":"user","content":"x"}],"max_tokens":1e999}', { param: 'max_tokens' }],
  ['a number of 400 digits', `{"model":"known","messages":[{"role":"user","content":"x"}],"n":${'9'.repeat(400)}}`, { param: 'n' }],
  ['a number that is not whole', '{"model":"known","messages":[{"role":"user","content":"x"}],"n":1.0000001}', { param: 'n' }],
  ['a number below zero', '{"model":"known","messages":[{"role":"user","content":"x"}],"max_tokens":-1}', { param: 'max_tokens' }],
  ['a role that every object has', '{"model":"known","messages":[{"role":"constructor","content":"x"}]}', { param: 'messages[0].role' }],
  ['a message that is a list', '{"model":"known","messages":[["role","user"]]}', { param: 'messages[0]' }],
  ['messages that look like a list', '{"model":"known","messages":{"0":{"role":"user","content":"x"},"length":1}}', { param: 'messages' }],
  ['a model that looks like a string', '{"model":{"toString":"known"},"messages":[{"role":"user","content":"x"}]}', { param: 'model' }],
  ['content in a prototype', '{"model":"known","messages":[{"role":"user","__proto__":{"content":"x"}}]}', { code: ['missing_required_parameter', 'invalid_value'] }],
  ['a model in a prototype', '{"__proto__":{"model":"known","messages":[]}}', { code: ['missing_required_parameter', 'invalid_value'] }],
  ['both names for the most output', '{"model":"known","messages":[{"role":"user","content":"x"}],"max_tokens":5,"max_completion_tokens":5}', { param: 'max_tokens' }],
  ['denied content', '{"model":"known","messages":[{"role":"user","content":"about project nightingale"}]}', { code: 'content_policy_violation', param: 'messages' }],
  ['denied content in escapes', '{"model":"known","messages":[{"role":"user","content":"about \\u0070roject nightingale"}]}', { code: 'content_policy_violation', param: 'messages' }],
  ['denied content in a name nobody knows', '{"model":"known","messages":[{"role":"user","content":"x","more":"project nightingale"}]}', { code: 'content_policy_violation' }],
  ['a model with a NUL in its name', '{"model":"kno\\u0000wn","messages":[{"role":"user","content":"x"}]}', { status: 404, code: 'model_not_found', param: 'model' }],
  ['a model with a line break in its name', '{"model":"known\\r\\nx-injected: 1","messages":[{"role":"user","content":"x"}]}', { status: 404, code: 'model_not_found', param: 'model' }],
  ['a model with half a character in its name', '{"model":"\\ud800","messages":[{"role":"user","content":"x"}]}', { status: 404, code: 'model_not_found', param: 'model' }],
  ['a model named __proto__', '{"model":"__proto__","messages":[{"role":"user","content":"x"}]}', { status: 404, code: 'model_not_found', param: 'model' }],
  ['a model named constructor', '{"model":"constructor","messages":[{"role":"user","content":"x"}]}', { status: 404, code: 'model_not_found', param: 'model' }],
];

/** Bodies of every endpoint that are no JSON object, and objects that are no request. */
export function jsonBodies({ key, maxBodyBytes }: Known): BadInput[] {
  const headers = [bearer(key), JSON_TYPE];
  return [
    ...NO_OBJECTS.map(([name, body]) => row(`a body of ${name}`, { headers, body }, NO_JSON)),
    ...ENDPOINTS.flatMap((path) => [
      row(`${path}: a list`, { target: `/v1/${path}`, headers, body: '[1]' }, NO_JSON),
      row(`${path}: half an object`, { target: `/v1/${path}`, headers, body: '{"model":' }, NO_JSON),
      row(`${path}: an empty object`, { target: `/v1/${path}`, headers, body: '{}' }, { status: 400, code: 'missing_required_parameter' }),
      row(`${path}: a body that is too large`, { target: `/v1/${path}`, headers, body: JSON.stringify({ model: 'known', padding: 'x'.repeat(maxBodyBytes) }) }, { status: 413, code: 'request_too_large' }),
    ]),
    ...ODD_OBJECTS.map(([name, body, expected]) => row(`a body with ${name}`, { headers, body }, { ...INVALID, ...expected })),
  ];
}

/** What a body says it is, and how it is packed. */
export function contentTypes({ key }: Known): BadInput[] {
  const json = JSON.stringify(GOOD_CHAT);
  const packed: [string, Buffer][] = [['gzip', gzipSync(json)], ['br', brotliCompressSync(json)], ['deflate', deflateSync(json)], ['x-gzip', gzipSync(json)], ['gzip, gzip', gzipSync(gzipSync(json))], ['zstd', Buffer.from(json)], ['nothing-known', Buffer.from(json)], ['identity, gzip', gzipSync(json)]];
  return [
    ...packed.map(([encoding, body]) => row(`content-encoding ${encoding}`, { headers: [bearer(key), JSON_TYPE, ['content-encoding', encoding]], body }, { ...INVALID, param: 'content-encoding' })),
    row('a gzip bomb', { headers: [bearer(key), JSON_TYPE, ['content-encoding', 'gzip']], body: gzipSync(Buffer.alloc(20_000_000)) }, { ...INVALID, param: 'content-encoding' }),
    ...['multipart/form-data', 'multipart/form-data; boundary=x', 'Multipart/Form-Data;boundary=x'].map((type) => row(`a chat of the type ${type}`, { headers: [bearer(key), ['content-type', type]], body: json }, { ...INVALID, param: 'content-type' })),
    ...['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/mixed; boundary=x', 'multipart/form-datax; boundary=x'].map((type) => row(`an upload of the type ${type}`, { target: '/v1/files', headers: [bearer(key), ['content-type', type]], body: json }, INVALID)),
    row('an upload without a type', { target: '/v1/files', headers: [bearer(key)], body: json }, INVALID),
  ];
}
