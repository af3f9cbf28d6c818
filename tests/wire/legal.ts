import { bearer, JSON_TYPE, type Known } from './bad-input.ts';
import { inChunks, requestBytes, type RequestParts } from './request-bytes.ts';

/** A request that looks odd and is right: it has to be served. */
export interface LegalOddity {
  name: string;
  bytes: Buffer;
  /** How many requests these bytes are: each gets a 200. */
  replies: number;
  isHead?: boolean;
}

/** What HTTP, JSON and OpenAI's API allow, however seldom it is seen. */
export function legalOddities({ key }: Known): LegalOddity[] {
  const headers = [bearer(key), JSON_TYPE];
  const chat = (name: string, more: object = {}): string => JSON.stringify({ model: 'known', messages: [{ role: 'user', content: `Served all the same: ${name}.` }], ...more });
  const one = (name: string, parts: RequestParts = {}): LegalOddity => ({ name, bytes: requestBytes({ headers, body: chat(name), ...parts }), replies: 1 });
  const models: RequestParts = { method: 'GET', target: '/v1/models', headers: [bearer(key)] };
  const chunked = (name: string, body: string): LegalOddity => one(name, { headers: [...headers, ['transfer-encoding', 'chunked']], body, framed: false });
  const halves = (name: string): string[] => [chat(name).slice(0, 20), chat(name).slice(20)];
  return [
    one('an absolute target', { target: 'http://deja.example/v1/chat/completions' }),
    one('an absolute target with a port', { target: 'http://127.0.0.1:1/v1/chat/completions' }),
    one('a path that ends in a slash', { target: '/v1/chat/completions/' }),
    one('a path without v1', { target: '/chat/completions' }),
    one('a query nobody reads', { target: '/v1/chat/completions?a=b&a=c&%zz=1&__proto__=x' }),
    one('letters of the path that are encoded', { target: '/v1/ch%61t/completions' }),
    one('names of headers in capitals', { headers: [['AUTHORIZATION', `Bearer ${key}`], ['CONTENT-TYPE', 'APPLICATION/JSON']] }),
    one('a scheme of the key in small letters', { headers: [['authorization', `bearer   ${key}  `], JSON_TYPE] }),
    one('a key as Azure sends it', { headers: [['api-key', key], JSON_TYPE] }),
    one('a key as Anthropic sends it', { headers: [['x-api-key', key], JSON_TYPE] }),
    one('no content-type', { headers: [bearer(key)] }),
    one('another content-type', { headers: [bearer(key), ['content-type', 'text/plain; charset=ascii']] }),
    one('content-encoding identity', { headers: [...headers, ['content-encoding', 'identity']] }),
    one('blanks and tabs around a value', { headers: [...headers, ['x-cache-mode', ' \t exact \t ']] }),
    one('an empty header nobody knows', { headers: [...headers, ['x-empty', '']] }),
    one('bytes beyond ASCII in a header', { headers: [...headers, ['x-note', 'gr\xfc\xdfe']] }),
    one('an end user in UTF-8', { headers: [...headers, ['x-deja-user', Buffer.from('Zoë').toString('latin1')]] }),
    one('a trace that is none', { headers: [...headers, ['traceparent', '00-zz-zz-00'], ['tracestate', '=,=']] }),
    one('cache-control that nobody knows', { headers: [...headers, ['cache-control', 'private, max-age, stale-while-revalidate=x, ,']] }),
    one('HTTP/1.0', { version: 'HTTP/1.0' }),
    one('HTTP/1.0 without a host', { version: 'HTTP/1.0', host: null }),
    one('an empty host', { host: '' }),
    one('a length with zeros before it', { framed: false, headers: [...headers, ['content-length', `000${chat('a length with zeros before it').length}`]] }),
    one('100-continue', { headers: [...headers, ['expect', '100-continue']] }),
    { name: 'a line break before the request', bytes: Buffer.concat([Buffer.from('\r\n'), requestBytes(models)]), replies: 1 },
    { name: 'a body with a GET', bytes: requestBytes({ ...models, body: 'nobody reads this' }), replies: 1 },
    { name: 'HEAD where there is a GET', bytes: requestBytes({ ...models, method: 'HEAD' }), replies: 1, isHead: true },
    chunked('chunks', inChunks(halves('chunks'))),
    chunked('chunks with an extension', inChunks(halves('chunks with an extension'), { extension: ';name=value;other="quoted, text"' })),
    chunked('chunks with an extension that has no value', inChunks(halves('chunks with an extension that has no value'), { extension: ';name' })),
    chunked('chunks with trailers', inChunks(halves('chunks with trailers'), { trailers: 'x-checksum: 1\r\nauthorization: Bearer nobody\r\n' })),
    chunked('chunks with sizes in capitals and zeros', inChunks(halves('chunks with sizes in capitals and zeros')).replace(/^[0-9a-f]+/, (size) => `000${size.toUpperCase()}`)),
    one('chunks in capitals', { headers: [...headers, ['Transfer-Encoding', 'CHUNKED']], body: inChunks(halves('chunks in capitals')), framed: false }),
    { name: 'five requests sent at once', bytes: Buffer.concat([1, 2, 3, 4, 5].map((n) => requestBytes({ headers, body: chat(`five requests sent at once, number ${n}`) }))), replies: 5 },
    one('blanks around the object', { body: ` \r\n\t${chat('blanks around the object')}\n\n ` }),
    one('a model in escapes', { body: chat('a model in escapes').replace('"known"', String.raw`"\u006b\u006e\u006f\u0077\u006e"`) }),
    one('the model twice, the last one right', { body: `{"model":7,${chat('the model twice, the last one right').slice(1)}` }),
    one('half a character, escaped', { body: chat('half a character, escaped').replace('Served', String.raw`\ud800Served`) }),
    one('a NUL in what is asked', { body: chat('a NUL in what is asked').replace('Served', String.raw`\u0000Served`) }),
    one('numbers with exponents', { body: chat('numbers with exponents').replace('{', '{"temperature":5e-1,"max_tokens":1e2,') }),
    one('a parameter nobody knows', { body: chat('a parameter nobody knows', { 'not-a-parameter': { deep: [[[]]] } }) }),
    one('null where something may be missing', { body: chat('null where something may be missing', { temperature: null, stop: null, user: null, stream: null, tools: null }) }),
  ];
}
