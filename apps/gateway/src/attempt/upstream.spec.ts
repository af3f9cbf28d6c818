import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { outboundRule, type Resolve } from '@deja/config';
import { afterEach, expect, test } from '@jest/globals';
import { selfSigned } from '../../test/tls-provider.ts';
import { AttemptFailure } from './failure.ts';
import { readWhole, Upstream, type UpstreamCall } from './upstream.ts';

const TIMEOUTS = { connect_ms: 2000, first_byte_ms: 5000, idle_ms: 5000, total_ms: 5000, unary_ms: 5000 };
const rule = (...allow: string[]) => outboundRule(allow).rule;

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

/** Names that stand for these addresses. */
function upstreamOf(hosts: Record<string, string[]> = {}): Upstream {
  const resolve: Resolve = (host, _options, done) => done(null, (hosts[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
  const upstream = new Upstream(resolve);
  opened.push(() => upstream.close());
  return upstream;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  opened.push(() => new Promise((done) => {
    server.close(() => done());
    server.closeAllConnections();
  }));
  return (server.address() as AddressInfo).port;
}

/** A provider on this machine, and the paths and connections it has seen. */
async function provider(answer: RequestListener = (_request, reply) => reply.end('ok')): Promise<{ port: number; paths: string[]; connections: () => number }> {
  const paths: string[] = [];
  let connections = 0;
  const server = createServer((asked, reply) => {
    paths.push(asked.url ?? '');
    answer(asked, reply);
  }).on('connection', () => (connections += 1));
  return { port: await listen(server), paths, connections: () => connections };
}

const call = (url: string, more: Partial<UpstreamCall> = {}): UpstreamCall => ({
  method: 'GET', url, headers: {}, body: null, stream: true, timeouts: TIMEOUTS, signal: new AbortController().signal, failure: (status) => new AttemptFailure('overloaded', { status }), ...more,
});

/** What a call comes to: the text of its answer, or the failure. */
async function outcome(upstream: Upstream, url: string, more: Partial<UpstreamCall> = {}): Promise<string | AttemptFailure> {
  try {
    return (await readWhole((await upstream.send(call(url, more))).body)).toString();
  } catch (error) {
    if (error instanceof AttemptFailure) return error;
    throw error;
  }
}

const refused = { kind: 'network', status: null, cause: { code: 'FORBIDDEN_ADDRESS' } };

test.each([301, 302, 303, 307, 308])('a redirect (%d) is a failure like any other answer, and is not followed: not to a metadata address, not anywhere', async (status) => {
  const elsewhere = await provider();
  for (const location of ['http://169.254.169.254/latest/meta-data/', `http://127.0.0.1:${elsewhere.port}/followed`]) {
    const { port, paths } = await provider((_request, reply) => reply.writeHead(status, { location }).end());
    expect(await outcome(upstreamOf(), `http://127.0.0.1:${port}/v1/x`)).toMatchObject({ kind: 'overloaded', status });
    expect(paths).toEqual(['/v1/x']);
  }
  expect(elsewhere.paths).toEqual([]);
});

test('a compressed reply, which may be a bomb, is never inflated: it is no answer, and another candidate may give one', async () => {
  const { port } = await provider((asked, reply) => {
    const status = asked.url === '/failed' ? 500 : 200;
    reply.writeHead(status, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1024 * 1024)));
  });
  const failure = await outcome(upstreamOf(), `http://127.0.0.1:${port}/answered`);
  expect(failure).toMatchObject({ kind: 'malformed' });
  expect(failure).toHaveProperty('retryable', true);
  expect(await outcome(upstreamOf(), `http://127.0.0.1:${port}/failed`)).toMatchObject({ kind: 'overloaded', status: 500 });
});

test('a certificate that nobody vouches for ends the connection, also where the environment would let it pass', async () => {
  const { key, cert } = selfSigned('llm.example');
  const seen: string[] = [];
  const server = createTlsServer({ key, cert }, (asked, reply) => {
    seen.push(asked.url ?? '');
    reply.end('secret');
  });
  const port = await listen(server);
  const upstream = upstreamOf({ 'llm.example': ['127.0.0.1'] });
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  try {
    for (const letsPass of [undefined, '0']) {
      if (letsPass !== undefined) process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = letsPass;
      expect(await outcome(upstream, `https://llm.example:${port}/v1/x`)).toMatchObject({ kind: 'network', cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
    }
  } finally {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  }
  expect(seen).toEqual([]);
  // The certificate is good for those who trust it: that nobody does was all there was against it.
  await new Promise<void>((done, fail) => {
    request({ host: '127.0.0.1', port, path: '/trusted', ca: cert, servername: 'llm.example' }, (reply) => reply.resume().on('end', done)).on('error', fail).end();
  });
  expect(seen).toEqual(['/trusted']);
});

test('the file’s own address may be inside, one of the admin API may not, and a metadata address none', async () => {
  const { port, connections } = await provider();
  const upstream = upstreamOf({ 'inner.example': ['127.0.0.1'], 'rebound.example': ['169.254.169.254'], 'mixed.example': ['169.254.169.254', '127.0.0.1'] });
  for (const checked of [rule(), rule('10.0.0.0/8', 'other.example')]) {
    for (const host of ['inner.example', 'rebound.example', 'mixed.example', '127.0.0.1']) expect(await outcome(upstream, `http://${host}:${port}/`, { checked })).toMatchObject(refused);
  }
  for (const checked of [null, rule('rebound.example')]) expect(await outcome(upstream, `http://rebound.example:${port}/`, { checked })).toMatchObject(refused);
  expect(connections()).toBe(0);

  for (const host of ['inner.example', 'mixed.example', '127.0.0.1']) expect(await outcome(upstream, `http://${host}:${port}/`)).toBe('ok');
  expect(await outcome(upstream, `http://inner.example:${port}/`, { checked: rule('inner.example') })).toBe('ok');
  expect(await outcome(upstream, `http://127.0.0.1:${port}/`, { checked: rule('127.0.0.0/8') })).toBe('ok');
});

test('a connection that was open already lets nobody through who may not make it', async () => {
  const { port, paths } = await provider();
  const upstream = upstreamOf({ 'inner.example': ['127.0.0.1'] });
  const url = `http://inner.example:${port}`;
  expect(await outcome(upstream, `${url}/1`)).toBe('ok');
  expect(await outcome(upstream, `${url}/2`, { checked: rule() })).toMatchObject(refused);
  expect(await outcome(upstream, `${url}/3`, { checked: rule('inner.example') })).toBe('ok');
  expect(await outcome(upstream, `${url}/4`, { checked: rule('outer.example') })).toMatchObject(refused);
  expect(paths).toEqual(['/1', '/3']);
});

test('a name that was good and then leads elsewhere is judged anew with the next connection', async () => {
  const { port, paths } = await provider((_request, reply) => reply.writeHead(200, { connection: 'close' }).end('ok'));
  const hosts = { 'moving.example': ['127.0.0.1'] };
  const upstream = upstreamOf(hosts);
  const url = `http://moving.example:${port}`;
  for (const checked of [null, rule('127.0.0.0/8')]) {
    hosts['moving.example'] = ['127.0.0.1'];
    expect(await outcome(upstream, `${url}/1`, { checked })).toBe('ok');
    hosts['moving.example'] = ['169.254.169.254'];
    expect(await outcome(upstream, `${url}/2`, { checked })).toMatchObject(refused);
  }
  expect(paths).toEqual(['/1', '/1']);
});

test('however often settings change, a call under way ends as it began', async () => {
  const held: (() => void)[] = [];
  const { port } = await provider((asked, reply) => {
    if (asked.url !== '/slow') return reply.end('ok');
    reply.write('be');
    return held.push(() => reply.end('gun'));
  });
  const upstream = upstreamOf();
  const url = `http://127.0.0.1:${port}`;
  const slow = await upstream.send(call(`${url}/slow`));
  for (let n = 1; n <= 20; n++) expect(await outcome(upstream, url, { timeouts: { ...TIMEOUTS, connect_ms: TIMEOUTS.connect_ms + n } })).toBe('ok');
  held[0]?.();
  expect((await readWhole(slow.body)).toString()).toBe('begun');
  expect(await outcome(upstream, url)).toBe('ok');
});
