import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { OpenConnections } from './open-connections.ts';
import { SlowClients } from './slow-clients.ts';
import { refuseRaw } from './unreadable.ts';

const MOST = 20;
const SHORT = { bodyIdleMs: 200, bodyGraceMs: 400, leastBytesPerS: 1000, unreadAnswerMs: 600, lingeringMs: 200 };
let server: Server;
let answerTo: (request: IncomingMessage, answer: ServerResponse) => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  answerTo = (request, answer) => void request.toArray().then((pieces) => answer.end(`got ${Buffer.concat(pieces as Buffer[]).length}`), () => undefined);
  server = createServer((request, answer) => answerTo(request, answer));
  server.on('clientError', refuseRaw);
  new SlowClients(server, new OpenConnections(server, MOST), SHORT).watch(20);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

async function client(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** What comes until the connection is closed. */
async function all(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (data: string) => (text += data));
  if (!socket.closed) await once(socket, 'close');
  return text;
}

const HEAD = 'POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n';

test('a client that stops in the middle of its body is told with a 408, and its connection closed', async () => {
  const socket = await client();
  socket.write(`${HEAD}begun`);
  const text = await all(socket);
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text).toContain('The request did not arrive in time.');
});

test('a client that drips its body in is told with a 408, and its connection closed', async () => {
  const socket = await client();
  socket.write(HEAD);
  const dripping = setInterval(() => socket.write('x'), 10);
  socket.once('close', () => clearInterval(dripping));
  expect(await all(socket)).toMatch(/^HTTP\/1\.1 408 /);
});

test('a body that nobody reads is not the client’s fault: it is waited for, and read to its end', async () => {
  let read = (): void => undefined;
  const asked = Promise.withResolvers<void>();
  answerTo = (request, answer) => {
    asked.resolve();
    read = () => void request.toArray().then((pieces) => answer.end(`got ${Buffer.concat(pieces as Buffer[]).length}`));
  };
  const socket = await client();
  const text = all(socket);
  socket.write(HEAD.replace('host', 'connection: close\r\nhost') + 'x'.repeat(100_000));
  await asked.promise;
  // By the time that one which came later is given up.
  const first = read;
  const late = await client();
  answerTo = (request, answer) => void request.toArray().then(() => answer.end(), () => undefined);
  late.write(`${HEAD}begun`);
  expect(await all(late)).toMatch(/ 408 /);
  first();
  expect(await text).toContain('got 100000');
});

test('a client that takes nothing of a whole answer is given up, and one that takes it slowly gets all of it', async () => {
  const size = 32 * 1024 * 1024;
  const closed = new Map(['/stuck', '/slow'].map((url) => [url, Promise.withResolvers<boolean>()]));
  answerTo = (request, answer) => {
    answer.on('close', () => closed.get(request.url ?? '')?.resolve(answer.writableFinished));
    answer.end(Buffer.alloc(size));
  };
  const [stuck, slow] = [await client(), await client()];
  stuck.pause();
  stuck.write('GET /stuck HTTP/1.1\r\nhost: test\r\n\r\n');
  slow.on('data', () => {
    slow.pause();
    setTimeout(() => slow.resume(), 2);
  });
  slow.write('GET /slow HTTP/1.1\r\nhost: test\r\n\r\n');
  expect(await Promise.all([...closed.values()].map(({ promise }) => promise))).toEqual([false, true]);
});

test('a client that goes on to send after its answer is not listened to for ever', async () => {
  answerTo = (request, answer) => {
    request.resume();
    answer.writeHead(413).end('too much');
  };
  const socket = await client();
  socket.write(HEAD);
  const dripping = setInterval(() => socket.write('x'), 10);
  socket.once('close', () => clearInterval(dripping));
  expect(await all(socket)).toContain('too much');
});

test('connections beyond the most are closed as they come, and there is a place again when one leaves', async () => {
  const places = await Promise.all(Array.from({ length: MOST }, client));
  expect(await all(await client())).toBe('');
  const left = once(places[0]!, 'close');
  places[0]!.end();
  await left;
  const next = await client();
  next.write('GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n');
  expect(await all(next)).toContain('got 0');
});
