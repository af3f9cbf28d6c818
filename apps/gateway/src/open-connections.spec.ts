import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClientsOfAStall } from '../test/clients-of-a-stall.ts';
import { OpenConnections } from './open-connections.ts';

let server: Server;
let connections: OpenConnections;
/** Answers that wait for the test, in the order of their requests. */
let held: { url: string; answer: ServerResponse }[];
const sockets: Socket[] = [];

beforeEach(async () => {
  held = [];
  server = createServer((request, answer) => {
    const url = request.url ?? '';
    if (url === '/held') held.push({ url, answer });
    else answer.end(url);
  });
  connections = new OpenConnections(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

/** One connection of a client, and all that came by it. */
class Client {
  text = '';
  closed = false;
  private readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    sockets.push(socket);
    socket.setEncoding('utf8').on('data', (text: string) => (this.text += text));
    socket.on('close', () => (this.closed = true));
  }

  static async connect(port = (server.address() as AddressInfo).port): Promise<Client> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Client(socket);
  }

  leave(): void {
    this.socket.destroy();
  }

  send(path: string): void {
    this.socket.write(`GET ${path} HTTP/1.1\r\nhost: test\r\n\r\n`);
  }

  async until(what: (client: Client) => boolean): Promise<void> {
    while (!what(this)) await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')]);
  }
}

const whenHeld = async (count: number): Promise<void> => {
  while (held.length < count) await once(server, 'request');
};
const close = (): Promise<void> => connections.closeBy(() => new Promise((resolve) => void server.close(() => resolve())));

test('an answer that has not begun when the drain does is the last one of its connection', async () => {
  const client = await Client.connect();
  client.send('/held');
  await whenHeld(1);
  connections.drain();
  held[0]?.answer.end('late');
  await client.until(({ closed }) => closed);
  expect(client.text).toMatch(/^connection: close\r$/im);
  expect(client.text).toContain('late');
});

test('a client that has the head of its answer already may send a further request when the answer ends, also while the server closes', async () => {
  const client = await Client.connect();
  client.send('/held');
  await whenHeld(1);
  held[0]?.answer.write('stream…');
  await client.until(({ text }) => text.includes('stream'));
  connections.drain();
  const closing = close();
  held[0]?.answer.end();
  await client.until(({ text }) => text.endsWith('0\r\n\r\n'));
  client.send('/next');
  await client.until(({ text }) => text.includes('/next'));
  await closing;
  await client.until(({ closed }) => closed);
  expect(client.text.match(/^HTTP/gm)).toHaveLength(2);
});

test('requests that were sent together are all told when their client leaves, also those whose answers wait for another, and nothing of them is kept', async () => {
  const client = await Client.connect();
  for (let i = 0; i < 5; i++) client.send('/held');
  await whenHeld(5);
  const closed = Promise.all(held.map(({ answer }) => once(answer, 'close')));
  client.leave();
  await closed;
  expect([...connections.running, ...connections.open]).toEqual([]);
});

test('a server closes although a connection has never sent a request, but not while an answer runs', async () => {
  const [silent, busy] = [await Client.connect(), await Client.connect()];
  busy.send('/held');
  await whenHeld(1);
  connections.drain();
  let over = false;
  const closing = close().then(() => (over = true));
  held[0]?.answer.write('half');
  await busy.until(({ text }) => text.includes('half'));
  expect(over).toBe(false);
  held[0]?.answer.end(' whole');
  await closing;
  await Promise.all([busy, silent].map((client) => client.until(({ closed }) => closed)));
  expect(busy.text).toContain('whole');
});

test('a connection that the server was handed is waited for as one of its own', async () => {
  const port = createTcpServer((socket) => void server.emit('connection', socket));
  port.listen(0, '127.0.0.1');
  await once(port, 'listening');
  const client = await Client.connect((port.address() as AddressInfo).port);
  port.close();
  client.send('/held');
  await whenHeld(1);
  connections.drain();
  let over = false;
  const closing = close().then(() => (over = true));
  held[0]?.answer.write('half');
  await client.until(({ text }) => text.includes('half'));
  expect(over).toBe(false);
  held[0]?.answer.end(' whole');
  await closing;
  await client.until(({ closed }) => closed);
  expect(client.text).toContain('whole');
});

test('requests that came while the process stood still, by kept connections and by ones that it had not accepted yet, are answered by a server that closes in that moment', async () => {
  const [kept, fresh] = [5, 100];
  const { port } = server.address() as AddressInfo;
  const clients = await ClientsOfAStall.ready({ port, kept, fresh, request: 'GET /asked HTTP/1.1\r\nhost: test\r\n\r\n', quietMs: 1100 });
  try {
    clients.stall();
    connections.drain();
    await close();
    await clients.untilClosed(kept + fresh);
    const answers = clients.texts.map((text) => text.match(/HTTP\/1.1 200/g)?.length ?? 0);
    expect(answers.toSorted((a, b) => a - b)).toEqual([...Array<number>(fresh).fill(1), ...Array<number>(kept).fill(2)]);
  } finally {
    await clients.end();
  }
});
