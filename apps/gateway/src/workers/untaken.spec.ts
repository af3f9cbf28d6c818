import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Untaken } from './untaken.ts';

let untaken: Untaken;
const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => untaken.refuse(socket));
beforeAll(async () => {
  untaken = new Untaken();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());
const port = (): number => (server.address() as AddressInfo).port;

/** All that comes back until the connection ends; 'reset' where it breaks off. */
function replyTo(client: Socket): Promise<string> {
  let text = '';
  client.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  return new Promise((resolve) => client.on('error', () => resolve('reset')).on('close', () => resolve(text)));
}

const HEAD = 'POST /v1/chat/completions HTTP/1.1\r\nhost: deja\r\ncontent-type: application/json\r\n';

test('a request that no worker takes is refused in OpenAI’s shape, is told when to come back, and its connection ends', async () => {
  const before = untaken.refused;
  const client = connect(port(), '127.0.0.1');
  client.write(`${HEAD}content-length: 2\r\n\r\n{}`);
  const reply = await replyTo(client);
  const [head, body] = reply.split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 503 /);
  expect(head).toMatch(/\r\nconnection: close/i);
  expect(head).toMatch(/\r\nretry-after: [1-3]\r\n/);
  expect(JSON.parse(body ?? '')).toMatchObject({ error: { type: 'api_error', code: 'overloaded', param: null } });
  expect(untaken.refused - before).toBe(1);
});

test('whoever still sends its body is answered after it, so that the answer is not lost; who waits to send it is answered at once', async () => {
  const slow = connect(port(), '127.0.0.1');
  const reply = replyTo(slow);
  slow.write(`${HEAD}content-length: 300000\r\n\r\n`);
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    slow.write('x'.repeat(100_000));
  }
  expect(await reply).toMatch(/^HTTP\/1\.1 503 /);

  const asking = request({ port: port(), host: '127.0.0.1', method: 'POST', headers: { expect: '100-continue', 'content-length': 2 } });
  let continued = false;
  asking.on('continue', () => (continued = true)).on('error', () => undefined).flushHeaders();
  const [response] = (await once(asking, 'response')) as [import('node:http').IncomingMessage];
  expect([response.statusCode, continued]).toEqual([503, false]);
  response.resume();
});

test('a second request of the same connection is not answered, and what is no request gets no 5xx', async () => {
  const twice = connect(port(), '127.0.0.1');
  const one = `${HEAD}content-length: 2\r\n\r\n{}`;
  const before = untaken.refused;
  twice.write(one + one);
  expect((await replyTo(twice)).match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(untaken.refused - before).toBe(1);
  const garbage = connect(port(), '127.0.0.1');
  garbage.write('hello, are you a gateway?\r\n\r\n');
  expect(await replyTo(garbage)).toMatch(/^HTTP\/1\.1 400 .*"type":"invalid_request_error"/s);
});

test.each([
  ['without a host', 'GET /v1/models HTTP/1.1\r\n\r\n', 503],
  ['that expects something else', `${HEAD}expect: much\r\ncontent-length: 0\r\n\r\n`, 503],
  ['for another protocol', 'GET / HTTP/1.1\r\nhost: deja\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n', 503],
  ['for a way to somewhere else', 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n', 400],
])('an odd request (%s) is answered as a worker would, in OpenAI’s shape', async (_what, bytes, status) => {
  const client = connect(port(), '127.0.0.1');
  client.write(bytes);
  expect(await replyTo(client)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*"error":\\{`, 's'));
});

test('an end waits for those that are being refused', async () => {
  const slow = connect(port(), '127.0.0.1');
  const reply = replyTo(slow);
  slow.write(`${HEAD}content-length: 2\r\n\r\n`);
  await once(server, 'connection');
  const ended = untaken.end();
  expect(await Promise.race([ended.then(() => 'ended'), new Promise((resolve) => setTimeout(resolve, 100, 'waits'))])).toBe('waits');
  slow.write('{}');
  await ended;
  expect(await reply).toMatch(/^HTTP\/1\.1 503 /);
  await untaken.end();
});

test('whoever never says anything, or never ends, is let go after five seconds', async () => {
  const silent = connect(port(), '127.0.0.1');
  const dribbling = connect(port(), '127.0.0.1');
  dribbling.write('GET / HTTP/1.1\r\nx: ');
  const drop = setInterval(() => dribbling.write('y'), 100);
  const began = performance.now();
  const ends = await Promise.all([silent, dribbling].map(async (client) => ({ reply: await replyTo(client), afterMs: performance.now() - began })));
  clearInterval(drop);
  for (const { reply, afterMs } of ends) expect([reply.includes('HTTP'), afterMs > 4500]).toEqual([false, true]);
});
