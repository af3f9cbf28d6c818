import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { eventually } from '@deja/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { OverloadGate, type Refused } from './overload-gate.ts';
import { overloadHook } from './overload-hook.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Server {
  port: number;
  gate: OverloadGate;
  refused: Refused[];
  /** Bodies that a handler got. */
  bodies: unknown[];
  /** Ends every request that waits. */
  answer(): void;
}

/** A server whose requests to /wait end when they are told to, and are prepared until then. */
async function serverWith(inFlight: number): Promise<Server> {
  const refused: Refused[] = [];
  const bodies: unknown[] = [];
  const waiting: (() => void)[] = [];
  const gate = new OverloadGate({ settings: { latenessMs: 20, inFlight }, keyPriority: () => null });
  const admits = overloadHook({ gate, refused: (one) => refused.push(one), random: () => 0.5 });
  const app: FastifyInstance = fastify({ forceCloseConnections: true });
  app.addHook('onRequest', (request, reply, done) => (admits(request, reply) ? done() : undefined));
  app.post('/wait', async ({ body }) => {
    bodies.push(body);
    const prepared = gate.preparing.begin();
    await new Promise<void>((resolve) => void waiting.push(resolve));
    prepared();
    return 'ok';
  });
  app.get('/admin/v1/tenants', () => 'admin');
  app.get('/', () => 'ok');
  gate.start();
  await app.listen({ port: 0, host: '127.0.0.1' });
  open.push(async () => {
    for (const resolve of waiting.splice(0)) resolve();
    gate.close();
    await app.close();
  });
  return { port: (app.server.address() as AddressInfo).port, gate, refused, bodies, answer: () => waiting.splice(0).forEach((resolve) => resolve()) };
}

const ask = (port: number, path = '/', init: RequestInit = {}): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`, init);
const wait = (port: number, headers: Record<string, string> = {}): Promise<Response> => ask(port, '/wait', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', ...headers } });

test('who is refused gets an error in OpenAI’s shape, and when to come back, and its body is not read', async () => {
  const server = await serverWith(1);
  const first = wait(server.port);
  await eventually('the first one', () => server.gate.inFlight === 1);
  const response = await wait(server.port);
  expect(response.status).toBe(503);
  expect(Object.fromEntries(response.headers)).toMatchObject({ 'content-type': 'application/json', 'retry-after': '2', 'retry-after-ms': '2000', 'x-should-retry': 'true', 'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(await response.json()).toEqual({ error: { message: 'The gateway has more requests than it can serve at the moment. Try again shortly.', type: 'api_error', param: null, code: 'overloaded' } });
  expect(server.refused).toEqual([{ reason: 'in_flight', priority: 'interactive' }]);
  expect(server.bodies).toHaveLength(1);
  server.answer();
  expect((await first).status).toBe(200);
  await eventually('the first one’s end', () => server.gate.inFlight === 0);
  expect((await ask(server.port)).status).toBe(200);
});

test('a connection whose request was refused serves the next one, also when the refused one had a body', async () => {
  const server = await serverWith(1);
  const first = wait(server.port);
  await eventually('the first one', () => server.gate.inFlight === 1);
  const socket = connect(server.port, '127.0.0.1');
  open.push(async () => socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => void (text += chunk.toString()));
  await once(socket, 'connect');
  const body = JSON.stringify({ text: 'x'.repeat(200_000) });
  socket.write(`POST /wait HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await eventually('the refusal', () => text.startsWith('HTTP/1.1 503 ') && text.endsWith('}'));
  server.answer();
  await first;
  await eventually('the end', () => server.gate.inFlight === 0);
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await eventually('the next answer', () => text.endsWith('ok'));
  expect(text.split('HTTP/1.1 ').slice(1).map((answer) => answer.slice(0, 3))).toEqual(['503', '200']);
});

test('batch is refused before interactive, and admin calls are not refused with clients', async () => {
  const server = await serverWith(2);
  const first = wait(server.port);
  await eventually('the first one', () => server.gate.inFlight === 1);
  expect((await wait(server.port, { 'x-deja-priority': 'batch' })).status).toBe(503);
  const second = wait(server.port);
  await eventually('the second one', () => server.gate.inFlight === 2);
  expect((await wait(server.port)).status).toBe(503);
  expect((await ask(server.port, '/admin/v1/tenants')).status).toBe(200);
  expect(server.refused.map(({ priority }) => priority)).toEqual(['batch', 'interactive']);
  server.answer();
  expect([(await first).status, (await second).status]).toEqual([200, 200]);
});

test('a client that leaves makes room', async () => {
  const server = await serverWith(1);
  const leaving = new AbortController();
  const first = ask(server.port, '/wait', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' }, signal: leaving.signal }).catch(() => undefined);
  await eventually('the first one', () => server.gate.inFlight === 1);
  leaving.abort();
  await first;
  await eventually('room', () => server.gate.inFlight === 0);
  expect((await ask(server.port)).status).toBe(200);
});

test('an event loop that is blocked again and again refuses what it cannot prepare, and takes it when it is calm', async () => {
  const server = await serverWith(10_000);
  const waiting = Array.from({ length: 24 }, () => wait(server.port));
  await eventually('all of them', () => server.gate.preparing.count === 24);
  let blocked = true;
  const block = (): void => {
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs);
    if (blocked) setTimeout(block, 1);
  };
  block();
  await eventually('the limit', () => server.gate.limit <= 24);
  const refused = await wait(server.port);
  expect(refused.status).toBe(503);
  expect(server.refused).toEqual([{ reason: 'late', priority: 'interactive' }]);
  blocked = false;
  await eventually('calm', () => server.gate.limit > 100);
  const again = wait(server.port);
  await eventually('the next one', () => server.gate.preparing.count === 25);
  server.answer();
  expect((await Promise.all([...waiting, again])).every(({ status }) => status === 200)).toBe(true);
});
