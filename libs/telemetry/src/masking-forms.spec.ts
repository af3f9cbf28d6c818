import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { context, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import fc from 'fast-check';
import { createLogger } from './logger.ts';

const TRACE = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED };
const REQUEST_ID = '0190f3c2-aaaa-7bbb-8ccc-1234567890ab';

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

/** How a secret appears in text that others wrote: libraries, providers, people. */
const IN_TEXT: Record<string, (secret: string) => string> = {
  'a client key of deja': (secret) => `sk-deja-${secret}`,
  'keys of OpenAI': (secret) => `sk-proj-${secret} sk-svcacct-${secret} sk-${secret}`,
  'a key of Anthropic': (secret) => `sk-ant-api03-${secret}`,
  'a key of Google': (secret) => `AIza${secret}_abcdefghijk`,
  'a token of Google': (secret) => `ya29.${secret}`,
  'keys of further providers': (secret) => `gsk_${secret} hf_${secret} r8_${secret} fw_${secret} xai-${secret} pplx-${secret} nvapi-${secret} csk-${secret}`,
  'keys of AWS': (secret) => `AKIA${secret} ASIA${secret} aws_secret_access_key=${secret} secretAccessKey: '${secret}'`,
  'a signature of AWS': (secret) => `https://bucket.example/x?X-Amz-Date=1&X-Amz-Security-Token=${secret}&X-Amz-Signature=${secret}`,
  'a key of Azure': (secret) => `api-key: ${secret} Ocp-Apim-Subscription-Key: ${secret} DefaultEndpointsProtocol=https;AccountKey=${secret}==;EndpointSuffix=x`,
  'a key of 32 hexadecimal digits after a telling word': () => `the api key '${HEX}' was refused; subscription key ${HEX}; token is ${HEX}`,
  'tokens of GitHub and Slack': (secret) => `ghp_${secret} github_pat_${secret} xoxb-${secret} https://hooks.slack.com/services/T0/B0/${secret}`,
  'a JWT': (secret) => `eyJhbGciOiJIUzI1NiJ9.${secret}.${secret}`,
  'a JWE': (secret) => `eyJhbGciOiJkaXIifQ..${secret}.${secret}.${secret}`,
  'schemes of authorization': (secret) => `was Bearer ${secret} or basic ${secret}`,
  'lines of headers': (secret) => `GET / HTTP/1.1\nAuthorization: Weird ${secret}\nx-api-key: ${secret}\r\nCookie: a=1; session=${secret}\nset-cookie: b=${secret}; Path=/`,
  'URLs of Redis': (secret) => `redis://:${secret}@127.0.0.1:6379/0 rediss://user:a/b+${secret}=@redis.example`,
  'URLs of Postgres': (secret) => `postgres://deja:${secret}@db/deja postgresql://deja:a\\b${secret}@db/deja?sslmode=require`,
  'URLs of HTTP': (secret) => `https://${secret}@sentry.example/1 https://u:${secret}@x.example https://x.example/v1beta/models?alt=sse&key=${secret} /x?token=${secret}`,
  'assignments': (secret) => `OPENAI_API_KEY=${secret} password = ${secret}, "secret"="${secret}" { apiKey: '${secret}', 'x-api-key': 'it is ${secret}', 'client_secret' => '${secret}' } pass=${secret}`,
  'a private key': (secret) => `-----BEGIN RSA PRIVATE KEY-----\n${secret}\n${secret}\n-----END RSA PRIVATE KEY-----`,
  'an error body of OpenAI': (secret) => JSON.stringify({ error: { message: `Incorrect API key provided: ${secret}. You can find your API key at https://x.example.`, code: 'invalid_api_key' } }),
  'an error body that repeats the request': (secret) => JSON.stringify({ detail: 'bad request', request: { headers: { 'X-Api-Key': [secret, secret], authorization: { scheme: 'x', values: [secret] } } } }, null, 2),
  'a body that was cut off': (secret) => JSON.stringify({ error: { api_key: `${secret} and more` } }).slice(0, -12),
  'a list that was cut off': (secret) => JSON.stringify({ 'x-api-key': [`a"\\${secret}`, secret] }).slice(0, -4),
  'what Node shows of an object': (secret) => inspect({ headers: { authorization: secret, 'api-key': secret, cookie: [secret] }, auth: { password: `it's "${secret}"` } }),
  'what Node shows of bytes': (secret) => inspect({ body: Buffer.from(secret) }),
};
const HEX = '0123456789abcdef0123456789abcdef';

const NAMES = ['authorization', 'Proxy-Authorization', 'x-api-key', 'api-key', 'apiKey', 'X-Goog-Api-Key', 'Ocp-Apim-Subscription-Key', 'OPENAI_API_KEY', 'adminKey', 'DEJA_MASTER_KEY', 'secretAccessKey', 'sessionToken', 'password', 'pass', 'passphrase', 'client_secret', 'refresh_token', 'idToken', 'Set-Cookie', 'signature', 'secret', 'token', 'value', 'key', 'jwt'];

/** How a secret appears as a field, that only its name gives away. */
const AS_FIELD: Record<string, (secret: string, name: string) => unknown> = {
  'a member': (secret, name) => ({ [name]: secret }),
  'a member with quotes and backslashes': (secret, name) => ({ [name]: `"\\${secret}"\\`, after: 1 }),
  'a list': (secret, name) => ({ [name]: [secret, `]"${secret}`, { deep: [secret] }], after: 1 }),
  'an object': (secret, name) => ({ [name]: { scheme: 'x', of: [{ '}"': secret }], [secret]: 1 }, after: 1 }),
  'raw headers': (secret) => ({ rawHeaders: ['accept', '*/*', 'x-api-key', secret, 'Authorization', secret, 'host', 'x'] }),
  'pairs': (secret) => [['x-api-key', secret], ['cookie', secret]],
  'names and values': (secret) => [{ name: 'x-api-key', value: secret }],
  'a URL object': (secret) => ({ url: new URL(`redis://u:${secret}@h`) }),
  'bytes': (secret) => ({ body: Buffer.from(secret), more: new Uint8Array(Buffer.from(secret)) }),
};

/** What a structure may wrap around it. */
const AROUND: ((inner: unknown) => unknown)[] = [
  (inner) => ({ a: inner, b: 1 }),
  (inner) => [null, inner, 'x'],
  (inner) => JSON.stringify(inner),
  (inner) => ({ body: JSON.stringify({ inner, status: 401 }, null, 2) }),
  (inner) => ({ msg2: `refused: ${typeof inner === 'string' ? inner : JSON.stringify(inner)} (retried)` }),
  (inner) => Object.assign<object, object>(Object.create(null) as object, { inner }),
];

/** How it may reach the log. */
const LOGGED: ((log: ReturnType<typeof createLogger>, inner: unknown) => void)[] = [
  (log, inner) => log.info({ request_id: REQUEST_ID, inner }, 'a field'),
  (log, inner) => log.info({ request_id: REQUEST_ID }, 'formatted %s and %j', text(inner), inner as object),
  (log, inner) => log.child({ request_id: REQUEST_ID, inner }).warn('bound to a child'),
  (log, inner) => log.error({ request_id: REQUEST_ID, err: new Error(text(inner)) }, 'an error'),
  (log, inner) => log.error({ request_id: REQUEST_ID, err: Object.assign(new Error('with fields'), { response: inner }) }, 'fields of an error'),
  (log, inner) => log.error({ request_id: REQUEST_ID, err: new Error('outer', { cause: new Error('inner', { cause: Object.assign(new Error(text(inner)), { inner }) }) }) }, 'causes'),
  (log, inner) => log.error({ request_id: REQUEST_ID, err: new AggregateError([new Error('first'), Object.assign(new Error(text(inner)), { inner })], text(inner)) }, 'many errors'),
];

function text(inner: unknown): string {
  return typeof inner === 'string' ? inner : JSON.stringify(inner);
}

function written(log: (logger: ReturnType<typeof createLogger>) => void): string {
  let line = '';
  context.with(trace.setSpanContext(ROOT_CONTEXT, TRACE), () => log(createLogger({ service: 'gateway', instance: 'gateway-1', pretty: false, destination: { write: (said) => void (line += said) } })));
  return line;
}

/** No letters that a pattern could end at, and nothing that is in a line anyway. */
const secret = fc.array(fc.constantFrom(...Array.from('ABCDEFGHJKMNPQRSTUVWXYZ23456789')), { minLength: 24, maxLength: 24 }).map((chars) => `Q7${chars.join('')}`);
const around = fc.array(fc.nat(AROUND.length - 1), { maxLength: 4 });
const way = fc.nat(LOGGED.length - 1);

function check(inner: unknown, hidden: string, wraps: number[], how: number): void {
  const line = written((log) => LOGGED[how]!(log, wraps.reduce((wrapped, wrap) => AROUND[wrap]!(wrapped), inner)));
  for (const shape of [hidden, HEX, [...Buffer.from(hidden)].join(), [...Buffer.from(hidden)].map((byte) => byte.toString(16)).join(' ')]) expect(line).not.toContain(shape);
  expect(line.trimEnd()).not.toContain('\n');
  expect(JSON.parse(line)).toMatchObject({ trace_id: TRACE.traceId, span_id: TRACE.spanId, request_id: REQUEST_ID, app: 'gateway', msg: expect.any(String) });
}

test.each(Object.entries(IN_TEXT))('under any nesting and by any way to the log, %s is not written', (_, form) => {
  fc.assert(fc.property(secret, around, way, (hidden, wraps, how) => check(`see: ${form(hidden)}`, hidden, wraps, how)), { numRuns: 40 });
});

test.each(Object.entries(AS_FIELD))('under any nesting and by any way to the log, what a telling name holds as %s is not written', (_, form) => {
  fc.assert(fc.property(secret, fc.constantFrom(...NAMES), around, way, (hidden, name, wraps, how) => check(form(hidden, name), hidden, wraps, how)), { numRuns: 80 });
});

test('what no secret is stays: names beside secrets, ids, hashes, counts', () => {
  const fields = { request_id: REQUEST_ID, header: 'x-api-key', key_id: 'k1', after: ['password', 7], sha256: HEX, total_tokens: 3, keys: ['a', 'b'], secrets: 2, passed: true, author: 'x', bytes: { '0': 'a' }, list: [1, 2], note: 'token and key are words; a basic idea: keep the monkey' };
  expect(JSON.parse(written((log) => log.info(fields, 'risk-free')))).toMatchObject(fields);
});
