import { bearer, GOOD_CHAT, JSON_TYPE, row, type BadInput, type Known } from './bad-input.ts';
import { requestBytes } from './request-bytes.ts';

/** Node's parser takes at most 16 KiB of head. */
const TOO_LONG = 'x'.repeat(20_000);
const NO_HTTP = { status: 400, code: 'invalid_value', closes: true };
const NOTHING_THERE = { status: 404, code: 'not_found' };

/** The first line: methods, targets, versions, and what is no HTTP at all. */
export function requestLines({ key }: Known): BadInput[] {
  const headers = [bearer(key), JSON_TYPE];
  const body = JSON.stringify(GOOD_CHAT);
  const raw = (name: string, text: string): BadInput => ({ name, bytes: Buffer.from(text, 'latin1'), ...NO_HTTP });
  return [
    raw('words that are no request', 'NONSENSE \0\r\n\r\n'),
    raw('a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    raw('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    raw('SSH', 'SSH-2.0-OpenSSH_9.6\r\n'),
    raw('a command of Redis', '*1\r\n$4\r\nPING\r\n'),
    raw('a message of Postgres', '\0\0\0\x08\x04\xd2\x16\x2f'),
    raw('an answer instead of a request', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    raw('a line without version', 'GET /v1/models\r\n\r\n'),
    raw('a method alone', 'GET\r\n\r\n'),
    raw('two spaces before the target', 'GET  HTTP/1.1\r\n\r\n'),
    raw('a space before the method', ' GET /v1/models HTTP/1.1\r\nhost: deja\r\n\r\n'),
    raw('a target with a space in it', 'GET /v1/mo dels HTTP/1.1\r\nhost: deja\r\n\r\n'),
    raw('a target with a tab in it', 'GET /v1/mo\tdels HTTP/1.1\r\nhost: deja\r\n\r\n'),
    raw('a target with a NUL in it', 'GET /v1/mo\0dels HTTP/1.1\r\nhost: deja\r\n\r\n'),
    raw('a target with a carriage return in it', 'GET /v1/mo\rdels HTTP/1.1\r\nhost: deja\r\n\r\n'),
    raw('a target without its slash', 'GET v1/models HTTP/1.1\r\nhost: deja\r\n\r\n'),
    raw('a NUL before the method', '\0GET /v1/models HTTP/1.1\r\nhost: deja\r\n\r\n'),
    raw('something behind the version', 'GET /v1/models HTTP/1.1 again\r\nhost: deja\r\n\r\n'),
    ...['HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/3.0', 'HTTP/9.9', 'HTTP/1', 'HTTP/1.', 'HTTP/11.1', 'HTTX/1.1', 'http/1.1', 'HTTPS/1.1', 'ICE/1.0', '1.1'].map((version) => raw(`version ${version}`, `GET /v1/models ${version}\r\nhost: deja\r\nauthorization: Bearer ${key}\r\n\r\n`)),
    ...['get', 'Post', 'FOO', 'G\0ET', 'GET/', 'GE T', 'G(T', '{}', '<GET>', 'GÉT', 'X'.repeat(3000)].map((method) => raw(`method ${method.slice(0, 12).replace('\0', '<NUL>')}`, `${method} /v1/models HTTP/1.1\r\nhost: deja\r\n\r\n`)),
    ...['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'MKCOL', 'SEARCH', 'REPORT', 'QUERY', 'LINK', 'PURGE', 'SOURCE'].map((method) => row(`${method} where only POST is answered`, { method, headers, body }, NOTHING_THERE)),
    row('HEAD where only POST is answered', { method: 'HEAD', headers: [bearer(key)] }, NOTHING_THERE),
    { ...row('CONNECT to another server', { method: 'CONNECT', target: 'example.com:443', headers: [bearer(key)] }, NO_HTTP), ends: true },
    { ...row('CONNECT to a path', { method: 'CONNECT', target: '/v1/models', headers: [bearer(key)] }, NO_HTTP), ends: true },
    { ...row('a target that is too long', { method: 'GET', target: `/v1/${TOO_LONG}` }, { ...NO_HTTP, status: 431 }), ends: true },
    ...targets(headers),
  ];
}

function targets(headers: [string, string][]): BadInput[] {
  const get = (target: string): Parameters<typeof row>[1] => ({ method: 'GET', target, headers });
  return [
    ...['/', '/v1', '/v1/', '/v2/models', '/V1/MODELS', '//v1/models', '/v1//models', '/v1/./nothing', '/v1/../etc/passwd', '/v1/..%2f..%2fetc%2fpasswd', '/%2e%2e/%2e%2e/etc/passwd', '/v1/%00', '/v1/models%20x/y', '/.env', '/metrics', '/healthz/x', '/v1/chat', '/v1/chat/completions', '/v1/engines', '/v1/assistants', '/v1/vector_stores', '/v1/constructor', '/v1/__proto__', '/v1/toString', '/openai', '/openai/deployments', '/openai/deployments/known', '/openai/v1', '/index.html', '/favicon.ico', '*/v1/models'].filter((target) => target.startsWith('/')).map((target) => row(`GET ${target}`, get(target), NOTHING_THERE)),
    row('OPTIONS of the server', { method: 'OPTIONS', target: '*', headers }, NOTHING_THERE),
    ...['/v1/models/%', '/v1/models/%z', '/v1/models/%zz', '/v1/models/%c3%28', '/v1/models/%ff', '/v1/files/%e0%80%80', '/v1/responses/%f5'].map((target) => row(`a path that cannot be decoded: ${target}`, get(target), { status: 400, code: 'invalid_value', param: 'path' })),
    ...['http://[/v1/files', 'http://[/v1/files?limit=1', 'http://[::1/v1/models', 'http://%zz/v1/models', 'http:///v1/models', 'http://deja:99999/v1/models', 'https://[bad]/v1/models'].map((target) => row(`an absolute target that is none: ${target}`, get(target), { status: 400, code: 'invalid_value' })),
  ];
}

/** Names and values of headers, how many and how long, and `host`. */
export function headerLines({ key }: Known): BadInput[] {
  const line = (name: string, text: string): BadInput => ({ name, bytes: Buffer.from(`POST /v1/chat/completions HTTP/1.1\r\nhost: deja\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n${text}\r\ncontent-length: 2\r\n\r\n{}`, 'latin1'), ...NO_HTTP });
  const hosts = (name: string, lines: string[]): BadInput => ({ name, bytes: Buffer.from(`GET /v1/models HTTP/1.1\r\n${lines.join('')}authorization: Bearer ${key}\r\n\r\n`, 'latin1'), status: 400, code: 'invalid_value' });
  return [
    ...['(', ')', '<', '>', '@', ',', ';', '\\', '"', '/', '[', ']', '?', '=', '{', '}', ' ', '\t', '\x7f', '\x01', '\0', 'é'].map((odd) => line(`a header’s name with ${JSON.stringify(odd)} in it`, `x${odd}y: z`)),
    line('a header without a name', ': value'),
    line('a header without a colon', 'x-no-colon'),
    line('a space before the colon', 'x-space : value'),
    line('a tab before the colon', 'x-tab\t: value'),
    ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).filter((control) => !['\t', '\n', '\r'].includes(control)).map((control) => line(`a header’s value with the control character ${control.charCodeAt(0)}`, `x-control: a${control}b`)),
    line('a header’s value with DEL', 'x-control: a\x7fb'),
    line('a carriage return alone in a header’s value', 'x-cr: a\rb'),
    line('a line feed alone in a header’s value', 'x-lf: a\nx-injected b'),
    line('a folded header', 'x-folded: a\r\n b'),
    line('a header folded by a tab', 'x-folded: a\r\n\tb'),
    line('a folded first line of headers', ' x: y'),
    { name: 'a folded line before the first header', bytes: Buffer.from('GET /v1/models HTTP/1.1\r\n x: y\r\nhost: deja\r\n\r\n'), ...NO_HTTP },
    { ...line('a header that is too long', `x-long: ${TOO_LONG}`), status: 431 },
    { ...line('a header’s name that is too long', `${TOO_LONG}: v`), status: 431 },
    { ...line('headers that are too long together', Array.from({ length: 30 }, (_, i) => `x-${i}: ${'y'.repeat(600)}`).join('\r\n')), status: 431 },
    { ...line('a cookie that is too long', `cookie: a=${TOO_LONG}`), status: 431 },
    { ...line('a key that is too long', `x-api-key: ${TOO_LONG}`), status: 431 },
    hosts('no host', []),
    hosts('two hosts', ['host: deja\r\n', 'host: other\r\n']),
    hosts('the same host twice', ['host: deja\r\n', 'host: deja\r\n']),
    { name: 'lines that end in a line feed alone', bytes: Buffer.from(`GET /v1/models HTTP/1.1\nhost: deja\nauthorization: Bearer ${key}\n\n`), ...NO_HTTP },
    { name: 'headers that end in a line feed alone', bytes: Buffer.from(`GET /v1/models HTTP/1.1\r\nhost: deja\r\nauthorization: Bearer ${key}\n\r\n`), ...NO_HTTP },
    { name: 'headers that never end', bytes: Buffer.from('GET /v1/models HTTP/1.1\r\nhost: deja\r\n'), ends: true, ...NO_HTTP },
  ];
}

/** Requests that want the connection to become something else, or expect what is not done. */
export function upgrades({ key }: Known): BadInput[] {
  const body = '{';
  const headers = [bearer(key), JSON_TYPE];
  const noJson = { status: 400, code: 'invalid_json' };
  return [
    ...['websocket', 'h2c', 'TLS/1.0', 'foo/2'].map((protocol) => row(`an upgrade to ${protocol}, with a bad body`, { headers: [...headers, ['connection', 'upgrade'], ['upgrade', protocol]], body }, noJson)),
    row('HTTP2-Settings, with a bad body', { headers: [...headers, ['connection', 'Upgrade, HTTP2-Settings'], ['upgrade', 'h2c'], ['http2-settings', 'AAMAAABkAAQAAP__']], body }, noJson),
    ...['a-pony', '200-ok', '100-continue, a-pony'].map((expected) => row(`an expectation nobody knows (${expected}), with a bad body`, { headers: [...headers, ['expect', expected]], body }, noJson)),
    ...['connection', 'keep-alive', 'te', 'via', 'x-http-method-override', 'x-original-url', 'x-rewrite-url', 'forwarded', 'x-forwarded-host', 'range', 'if-none-match', 'cookie'].map((name) => row(`a header ${name} that means nothing here, with a bad body`, { headers: [...headers, [name, 'DELETE /admin/v1/tenants']], body }, noJson)),
    // What is no HTTP ends the connection at once, before the request ahead of it has its answer.
    {
      name: 'garbage behind a whole request on the same connection',
      bytes: Buffer.concat([requestBytes({ method: 'GET', target: '/v1/models', headers: [bearer(key)] }), Buffer.from('\0\0garbage\r\n\r\n')]),
      ...NO_HTTP,
    },
    {
      name: 'a body behind a GET that says it has none',
      bytes: Buffer.concat([requestBytes({ method: 'GET', target: '/v1/models', headers: [bearer(key)] }), Buffer.from('{"model":"known"}')]),
      ...NO_HTTP,
    },
    {
      name: 'a bad request behind two good ones',
      bytes: Buffer.concat([...[1, 2].map(() => requestBytes({ method: 'GET', target: '/v1/models', headers: [bearer(key)] })), requestBytes({ headers, body: '[' })]),
      before: 2, ...noJson,
    },
  ];
}
