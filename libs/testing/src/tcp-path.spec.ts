import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually } from './eventually.ts';
import { TcpPath } from './tcp-path.ts';

let echo: Server;
let path: TcpPath;
beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  path = await TcpPath.to(`tcp://127.0.0.1:${(echo.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await path.close();
  echo.close();
});

interface Client {
  socket: Socket;
  heard: () => string;
  error: () => string | null;
}

function client(): Client {
  const socket = connect(path.port, '127.0.0.1');
  let [text, code] = ['', null as string | null];
  socket.on('data', (data) => (text += data.toString())).on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? ''));
  return { socket, heard: () => text, error: () => code };
}

test('a way that is reset breaks what is open, and what comes then, by RST', async () => {
  const before = client();
  before.socket.write('hello');
  await eventually('the echo', () => before.heard() === 'hello');
  path.set('reset');
  const after = client();
  for (const { socket, error } of [before, after]) {
    await eventually('its end', () => socket.destroyed);
    expect(error()).toBe('ECONNRESET');
  }
});

test('over a slow way everything comes, later, in order, also what was on its way when it became fast again', async () => {
  const { socket, heard } = client();
  path.set({ delayMs: 60 });
  const fromMs = performance.now();
  socket.write('one ');
  await eventually('the first', () => heard() === 'one ');
  expect(performance.now() - fromMs).toBeGreaterThan(100);
  socket.write('two ');
  await new Promise((resolve) => setTimeout(resolve, 20)); // it is on its way there
  path.set('open');
  socket.write('three ');
  await eventually('all', () => heard() === 'one two three ');
});

test('a way leads to another server from the next connection on', async () => {
  const other = createServer((socket) => socket.end('another')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  path.leadTo(`tcp://127.0.0.1:${(other.address() as AddressInfo).port}`);
  const { heard } = client();
  await eventually('its word', () => heard() !== '');
  expect(heard()).toBe('another');
  other.close();
});
