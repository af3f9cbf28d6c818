import { createServer as createHttpServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Resolve } from '@deja/config';
import { eventually } from '@deja/testing';
import { afterEach, expect, test } from '@jest/globals';
import { believe, Door, selfSigned, TlsProvider } from '../../test/tls-provider.ts';
import type { ConnectionBounds } from './connections.ts';
import { AttemptFailure } from './failure.ts';
import { readWhole, Upstream, type UpstreamCall } from './upstream.ts';

const TIMEOUTS = { connect_ms: 10_000, first_byte_ms: 30_000, idle_ms: 30_000, total_ms: 30_000, unary_ms: 30_000 };
const LONG: ConnectionBounds = { idleMs: 60_000, mostIdleMs: 60_000, lifeMs: 60_000 };
const certificate = selfSigned('llm.example');

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

/** Everything that a test opens is closed after it, in reverse. */
function opening<T extends { close(): unknown }>(what: T): T {
  opened.push(() => what.close());
  return what;
}

function upstreamOf(bounds: Partial<ConnectionBounds> = {}, addresses: () => string = () => '127.0.0.1'): Upstream {
  const resolve: Resolve = (_host, _options, done) => done(null, [{ address: addresses(), family: 4 }]);
  return opening(new Upstream(resolve, { ...LONG, ...bounds }));
}

const call = (url: string, more: Partial<UpstreamCall> = {}): UpstreamCall => ({
  method: 'GET', url, headers: {}, body: null, stream: false, timeouts: TIMEOUTS, signal: new AbortController().signal, failure: (status) => new AttemptFailure('overloaded', { status }), ...more,
});

/** The text of an answer, or the failure. */
async function outcome(upstream: Upstream, url: string, more: Partial<UpstreamCall> = {}): Promise<string | AttemptFailure> {
  try {
    return (await readWhole((await upstream.send(call(url, more))).body)).toString();
  } catch (error) {
    if (error instanceof AttemptFailure) return error;
    throw error;
  }
}

/** Answers that wait until they are let go, by path. */
class Held<Reply extends ServerResponse | Http2ServerResponse> {
  private readonly replies = new Map<string, Reply>();

  readonly answer = (asked: { url?: string | undefined }, reply: Reply): void => void this.replies.set(asked.url ?? '', reply);

  async until(count: number): Promise<void> {
    await eventually(`${count} calls that wait`, () => this.replies.size >= count);
  }

  of(path: string): Reply {
    const reply = this.replies.get(path);
    if (reply === undefined) throw new Error(`nobody asked for ${path}`);
    return reply;
  }

  letGo(): void {
    for (const [path, reply] of this.replies) (reply as ServerResponse).end(path);
  }
}

async function listen(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  opened.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const listening = (answer: RequestListener, host?: string, port?: number): Promise<number> => listen(createHttpServer(answer), host, port);

/** A provider at `https://llm.example` that is believed, and what it was asked. */
async function secureProvider(): Promise<{ provider: TlsProvider; port: number; url: string; held: Held<Http2ServerResponse> }> {
  opened.push(believe(certificate));
  const held = new Held<Http2ServerResponse>();
  const provider = opening(new TlsProvider(certificate, held.answer));
  const port = await provider.listen();
  return { provider, port, url: `https://llm.example:${port}`, held };
}

test('HTTP/1.1 is spoken, also with a provider that would rather have HTTP/2, and a call that is given up leaves the others as they are', async () => {
  const { provider, url, held } = await secureProvider();
  const upstream = upstreamOf();
  const leaving = new AbortController();
  const paths = Array.from({ length: 20 }, (_, n) => `/${n}`);
  const calls = paths.map((path, n) => outcome(upstream, url + path, n === 7 ? { signal: leaving.signal } : {}));
  await held.until(20);
  leaving.abort(new AttemptFailure('cancelled'));
  expect(await calls[7]).toMatchObject({ kind: 'cancelled' });
  held.letGo();
  expect((await Promise.all(calls)).filter((text) => typeof text === 'string')).toEqual(paths.filter((path) => path !== '/7'));
  expect(provider.protocols).toEqual(Array(20).fill('http/1.1'));
});

test('a connection is kept for the next call, and one that breaks fails no call but its own', async () => {
  const { provider, url, held } = await secureProvider();
  const upstream = upstreamOf();
  for (const path of ['/1', '/2', '/3']) {
    const answer = outcome(upstream, url + path);
    await eventually(`a call for ${path}`, () => provider.paths.includes(path));
    held.of(path).end(path);
    expect(await answer).toBe(path);
    await nextTurn(); // of the event loop: then undici takes it again
  }
  expect(provider.protocols).toHaveLength(1);
  const [broken, whole] = [outcome(upstream, `${url}/broken`), outcome(upstream, `${url}/whole`)];
  await held.until(5);
  held.of('/broken').socket?.destroy();
  expect(await broken).toMatchObject({ kind: 'network' });
  held.of('/whole').end('/whole');
  expect(await whole).toBe('/whole');
});

test('an answer that nobody reads makes its provider wait, and is whole for who reads it later', async () => {
  const { url, held } = await secureProvider();
  const long = Buffer.alloc(32 * 1024 * 1024, 'x');
  const slow = upstreamOf().send(call(`${url}/slow`));
  await held.until(1);
  const reply = held.of('/slow');
  reply.writeHead(200);
  reply.write(long);
  const { body } = await slow;
  await eventually('the provider to be kept waiting', () => (reply.socket?.writableLength ?? 0) > 0);
  reply.end();
  expect((await readWhole(body)).equals(long)).toBe(true);
});

test('however many calls wait for a connection that never comes about, each is given up with connect_ms, and none of them is ever sent', async () => {
  const door = opening(await Door.shut());
  const { provider, port, held } = await secureProvider();
  const upstream = upstreamOf();
  const url = `https://llm.example:${door.port}`;
  const given = await Promise.all(Array.from({ length: 20 }, (_, n) => outcome(upstream, `${url}/given-up-${n}`, { timeouts: { ...TIMEOUTS, connect_ms: 300 } })));
  for (const one of given) expect(one).toMatchObject({ kind: 'network', cause: { code: 'UND_ERR_CONNECT_TIMEOUT' } });
  const next = outcome(upstream, `${url}/next`);
  door.open(port);
  await held.until(1);
  held.letGo();
  expect(await next).toBe('/next');
  expect(provider.paths).toEqual(['/next']);
});

test('whose client leaves while a connection is being made is let go at once', async () => {
  const upstream = upstreamOf();
  const door = opening(await Door.shut());
  const leaving = new AbortController();
  const waits = outcome(upstream, `https://llm.example:${door.port}/`, { signal: leaving.signal });
  await eventually('somebody at the door', () => door.comers > 0);
  leaving.abort(new AttemptFailure('cancelled'));
  expect(await waits).toMatchObject({ kind: 'cancelled' });
});

test('a new connection goes on with the TLS session of an earlier one, also when garbage was collected in between', async () => {
  v8.setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  opened.push(believe(certificate));
  const provider = opening(new TlsProvider(certificate, (_asked, reply) => reply.end('ok')));
  const url = `https://llm.example:${await provider.listen()}`;
  const upstream = upstreamOf({ lifeMs: 1 }); // a connection is good for hardly more than a call
  await eventually('four connections', async () => {
    expect(await outcome(upstream, url)).toBe('ok');
    collect();
    return provider.resumed.length === 4;
  });
  expect(provider.resumed).toEqual([false, true, true, true]);
});

test('a name that leads elsewhere is followed by all calls within lifeMs, and what is under way ends where it began', async () => {
  const held = new Held<ServerResponse>();
  const port = await listening((asked, reply) => (asked.url === '/long' ? held.answer(asked, reply) : reply.end('former')));
  await listening((_asked, reply) => reply.end('latter'), '127.0.0.2', port);
  let address = '127.0.0.1';
  const upstream = upstreamOf({ lifeMs: 1 }, () => address);
  const url = `http://llm.example:${port}`;
  const long = outcome(upstream, `${url}/long`);
  await held.until(1);
  expect(await outcome(upstream, url)).toBe('former');
  address = '127.0.0.2';
  await eventually('an answer from the new address', async () => (await outcome(upstream, url)) === 'latter');
  for (let n = 0; n < 5; n++) expect(await outcome(upstream, url)).toBe('latter');
  held.letGo();
  expect(await long).toBe('/long');
});

test('a connection that is made anew goes where the name leads by then', async () => {
  const port = await listening((_asked, reply) => reply.writeHead(200, { connection: 'close' }).end('former'));
  await listening((_asked, reply) => reply.end('latter'), '127.0.0.2', port);
  let address = '127.0.0.1';
  const upstream = upstreamOf({}, () => address);
  expect(await outcome(upstream, `http://llm.example:${port}`)).toBe('former');
  address = '127.0.0.2';
  expect(await outcome(upstream, `http://llm.example:${port}`)).toBe('latter');
});

test('after a burst, connections that nobody needs are closed', async () => {
  const held = new Held<ServerResponse>();
  const server = createHttpServer(held.answer);
  server.keepAliveTimeout = 0; // it says nothing of its own
  const upstream = upstreamOf({ idleMs: 50 });
  const url = `http://llm.example:${await listen(server)}`;
  const connections = (): Promise<number> => new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
  const calls = Array.from({ length: 30 }, (_, n) => outcome(upstream, `${url}/${n}`));
  await held.until(30);
  expect(await connections()).toBe(30);
  held.letGo();
  await Promise.all(calls);
  await eventually('no connection', async () => (await connections()) === 0);
});
