import fc from 'fast-check';
import { jsonBody, VALID_BODIES } from './bodies.ts';
import { BOUNDARY, formBody } from './forms.ts';

/** How the body's end is told, and what is wrong with it. `length` and `chunked` are as HTTP wants them. */
export type Framing = 'length' | 'chunked' | 'short' | 'long' | 'both' | 'twice' | 'bad-chunk' | 'odd-encoding' | 'negative' | 'none';

/** One request as it goes over the wire. */
export interface WireRequest {
  method: string;
  target: string;
  version: string;
  /** Latin-1, in order; a name may come twice. */
  headers: [name: string, value: string][];
  body: Buffer;
  framing: Framing;
  /** Stands before everything: bytes that are no HTTP. */
  prefix: string;
  /** The `host` header; null: there is none. */
  host: string | null;
}

/** What the harness knows and a request may carry. */
export interface Known {
  key: string;
  /** Ids of objects that exist. */
  ids: string[];
}

const VALUES = ['', ' ', '0', '-1', 'no-cache', 'no-store', 'only-if-cached', 'max-age=0', 'max-age=-1', 'max-age=1e9', 'max-age=99999999999', 'no-cache, only-if-cached', 'exact', 'semantic', 'off', 'EXACT', 'on', '60', '1e3', '999999999', 'a=b', 'a=b,c=d', '=', 'a', '__proto__=x', `${'k=v,'.repeat(20)}`, 'x'.repeat(600), 'x'.repeat(9000), '\xff\xfe', '\xc3\xa9', 'gzip', 'identity', 'br', 'known', 'nope', 'claude', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-zz-zz-00', 'true', 'bytes=0-1', '*', '100-continue', 'h2c', 'trailers', 'chunked', 'close', 'keep-alive', '"'];
const NAMES = ['cache-control', 'cache-control', 'x-cache-mode', 'x-cache-ttl', 'x-deja-user', 'x-deja-tags', 'x-deja-model', 'x-client-request-id', 'x-request-id', 'traceparent', 'tracestate', 'content-encoding', 'accept', 'accept-encoding', 'cookie', 'range', 'if-none-match', 'x-forwarded-for', 'openai-organization', 'openai-beta', 'idempotency-key', 'te', 'trailer', 'expect', 'upgrade', 'connection', 'api-key', 'x-api-key', '__proto__', 'constructor', 'x'];
const headerValue = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...VALUES) }, { weight: 1, arbitrary: fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 30 }) });
const header = fc.tuple(fc.constantFrom(...NAMES), headerValue);
/** What no well-formed head holds. */
const brokenHeader = fc.constantFrom<[string, string]>(['x-nul', 'a\0b'], ['x y', 'z'], ['', 'x'], ['x-lf', 'a\nb: c'], ['host', 'again'], ['content-length', '5'], ['x-big', 'x'.repeat(20_000)]);

const authorization = (key: string): fc.Arbitrary<[string, string][]> =>
  fc.oneof(
    { weight: 30, arbitrary: fc.constant<[string, string][]>([['authorization', `Bearer ${key}`]]) },
    { weight: 2, arbitrary: fc.constantFrom<[string, string][]>([['api-key', key]], [['x-api-key', key]], [['authorization', `bearer   ${key} `]]) },
    { weight: 2, arbitrary: fc.constantFrom<[string, string][]>([], [['authorization', '']], [['authorization', 'Bearer']], [['authorization', 'Bearer x y']], [['authorization', 'Basic eDp5']], [['authorization', 'Bearer sk-deja-wrong']], [['authorization', `Bearer ${'x'.repeat(600)}`]], [['api-key', '\xff']]) },
  );

const contentType = (right: string): fc.Arbitrary<[string, string][]> =>
  fc.oneof({ weight: 40, arbitrary: fc.constant<[string, string][]>([['content-type', right]]) }, { weight: 2, arbitrary: fc.constantFrom('', ';', 'text/plain', 'application/json; charset=utf-16', 'application/json;charset=UTF-8', 'multipart/form-data', `multipart/form-data; boundary=${BOUNDARY}`, 'Multipart/Form-Data; boundary="', 'multipart/form-data; boundary=', 'application/x-www-form-urlencoded', '\xff/\xff', 'a/b/c', 'x'.repeat(5000), '*/*').map((value): [string, string][] => [['content-type', value]]) }, { weight: 1, arbitrary: fc.constant<[string, string][]>([]) });

const ODD_IDS = ['', '.', '..', '..%2f..', '..%2ffiles', '%2e%2e', '%00', '%', '%zz', '%ff', '%c3%28', 'a%20b', 'ä', 'file-nobodys', 'resp_nobodys', 'x'.repeat(3000), '__proto__', 'constructor', 'a/b/c', 'content', '*', '%2a', 'a;b', 'a?b', '%0d%0a', 'file-%00', '{id}'];
const QUERIES = ['', '', '', '?', '?limit=5', '?limit=x', '?limit=-1', '?limit=1&limit=2', '?after=nobody', '?after=%00', '?after=%ff%fe', '?stream=true', '?stream=true&starting_after=1', '?include[]=a&include[]=b', '?__proto__=1', '?constructor[x]=1', '?%', '?a=%zz', `?${'a=b&'.repeat(500)}`, '?api-version=2024-10-21', '#fragment'];

const OBJECT_CALLS: [method: string, path: string][] = [['GET', 'files'], ['GET', 'files/{id}'], ['GET', 'files/{id}/content'], ['DELETE', 'files/{id}'], ['GET', 'batches'], ['GET', 'batches/{id}'], ['POST', 'batches/{id}/cancel'], ['GET', 'responses/{id}'], ['GET', 'responses/{id}/input_items'], ['POST', 'responses/{id}/cancel'], ['DELETE', 'responses/{id}'], ['GET', 'models'], ['GET', 'models/{id}'], ['POST', 'images/{id}'], ['POST', 'audio/{id}'], ['GET', 'chat/completions'], ['GET', '{id}'], ['POST', '{id}']];

const prefix = fc.constantFrom('/v1/', '/v1/', '/v1/', '/v1/', '/v1/', '/v1/', '/', '//v1/', '/v1//', '/V1/', '/openai/deployments/known/', '/openai/v1/', 'http://[bad/v1/', 'http://x/v1/', 'v1/');
const framing = fc.oneof({ weight: 20, arbitrary: fc.constant<Framing>('length') }, { weight: 3, arbitrary: fc.constant<Framing>('chunked') }, { weight: 1, arbitrary: fc.constantFrom<Framing>('short', 'long', 'both', 'twice', 'bad-chunk', 'odd-encoding', 'negative', 'none') });

/** null so many times for each time of something. */
const rarely = <T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.oneof({ weight, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

interface Call {
  method: string;
  path: string;
  body: fc.Arbitrary<Buffer>;
  type: string;
}

const CALLS: { weight: number; call: Call }[] = [
  ...Object.keys(VALID_BODIES).map((path) => ({ weight: path === 'chat/completions' || path === 'responses' ? 12 : path === 'batches' ? 1 : 3, call: { method: 'POST', path, body: jsonBody(path), type: 'application/json' } })),
  ...['files', 'audio/transcriptions', 'audio/translations', 'images/edits', 'images/variations'].map((path) => ({ weight: 2, call: { method: 'POST', path, body: formBody, type: `multipart/form-data; boundary=${BOUNDARY}` } })),
];

/** Any request at all, for a cluster where this is known. */
export function wireRequest({ key, ids }: Known): fc.Arbitrary<WireRequest> {
  const id = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...ODD_IDS) }, ...(ids.length > 0 ? [{ weight: 1, arbitrary: fc.constantFrom(...ids) }] : []), { weight: 1, arbitrary: fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 12 }) });
  const bodied = CALLS.map(({ weight, call }) => ({ weight, arbitrary: fc.tuple(call.body, contentType(call.type)).map(([body, type]) => ({ method: call.method, path: call.path, body, type })) }));
  const object = fc.tuple(fc.constantFrom(...OBJECT_CALLS), id, fc.constantFrom(...QUERIES), rarely(3, fc.constantFrom('{}', '[]', 'x', '{"a":1}'))).map(([[method, path], value, query, text]) => ({
    method,
    path: path.replace('{id}', value) + query,
    body: Buffer.from(text ?? ''),
    type: text === null ? [] : ([['content-type', 'application/json']] as [string, string][]),
  }));
  const method = rarely(40, fc.constantFrom('GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND', 'FOO', 'get'));
  return fc
    .record({
      call: fc.oneof(...bodied, { weight: 8, arbitrary: object }),
      prefix: fc.oneof({ weight: 8, arbitrary: fc.constant('/v1/') }, { weight: 1, arbitrary: prefix }),
      method,
      authorization: authorization(key),
      headers: fc.oneof({ weight: 3, arbitrary: fc.constant<[string, string][]>([]) }, { weight: 2, arbitrary: fc.array(header, { maxLength: 3 }) }),
      broken: rarely(60, brokenHeader),
      framing,
      version: fc.oneof({ weight: 60, arbitrary: fc.constant('HTTP/1.1') }, { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTX/1.1', '') }),
      host: fc.oneof({ weight: 80, arbitrary: fc.constant('localhost') }, { weight: 1, arbitrary: fc.constantFrom(null, '', 'a b', '\xff') }),
      before: fc.oneof({ weight: 100, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom('\r\n', '\0', '\x16\x03\x01', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') }),
    })
    .map(({ call, prefix: start, method: other, authorization: auth, headers, broken, framing: how, version, host, before }) => ({
      method: other ?? call.method,
      target: Buffer.from(start + call.path).toString('latin1').replace(/[ \r\n]/g, '+'),
      version,
      headers: [...auth, ...call.type, ...headers, ...(broken === null ? [] : [broken])],
      body: call.body,
      framing: how,
      prefix: before,
      host,
    }));
}

/** Whether HTTP itself has nothing against the request: then it gets an answer, and its connection lives on. */
export const isHttp = ({ framing: how, version, headers, prefix: before, host, method, target }: WireRequest): boolean =>
  (how === 'length' || how === 'chunked') && version === 'HTTP/1.1' && host === 'localhost' && before === '' && /^[A-Z]+$/.test(method) && method !== 'FOO' && target.startsWith('/') && !target.includes('#') && headers.every(([name, value]) => /^[\w-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value) && value.length < 15_000 && !['host', 'content-length', 'te', 'trailer', 'expect', 'upgrade', 'connection', 'transfer-encoding'].includes(name)) && new Set(headers.map(([name]) => name)).size === headers.length;
