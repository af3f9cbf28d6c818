import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { eventually } from '@deja/testing';
import { ConnectionMetrics } from './connection-metrics.ts';
import { OpenConnections } from './open-connections.ts';
import { refuseRaw } from './unreadable.ts';

let telemetry: Telemetry;
let server: Server;
let connections: OpenConnections;
const sockets: Socket[] = [];

beforeEach(async () => {
  telemetry = startTelemetry({ service: 'gateway', instance: 'test', variables: {} });
  const metrics = new ConnectionMetrics(telemetry.meter);
  server = metrics.of(createServer({ headersTimeout: 300, connectionsCheckingInterval: 20 }, (request, response) => {
    if (request.url === '/large') response.end(Buffer.alloc(64 * 1024 * 1024));
    else if (request.url === '/refused') response.end('no');
    else if (request.method === 'GET') response.end('yes');
    request.resume();
  }));
  server.on('clientError', refuseRaw);
  connections = new OpenConnections(server, { most: 2, closed: metrics.closed, deadlines: { lookMs: 20, bodyMs: 200, bodyBytes: 1000, lingerMs: 200, unreadMs: 600 } });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
  await telemetry.shutdown();
});

function client(bytes: string): { socket: Socket; closed: Promise<unknown> } {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined).resume();
  socket.write(bytes);
  return { socket, closed: new Promise((resolve) => void socket.once('close', resolve)) };
}

async function figures(): Promise<Record<string, number>> {
  const lines = (await telemetry.metricsText()).matchAll(/^deja_gateway_connections(?:_closed_total\{reason="(\w+)"\})? (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, reason = 'open', count]) => [reason, Number(count)]));
}
const NONE = { open: 0, too_many: 0, head: 0, body: 0, lingering: 0, unread: 0, headers_too_large: 0, unreadable: 0 };
const HEAD = 'host: deja\r\ncontent-length: 100000\r\n\r\n';

test('no connection has been closed at first, and none that its client closes is', async () => {
  expect(await figures()).toEqual(NONE);
  const { socket } = client('GET / HTTP/1.1\r\nhost: deja\r\n\r\n');
  await once(socket, 'data');
  expect([...connections.open]).toHaveLength(1);
  expect(await figures()).toEqual({ ...NONE, open: 1 });
  socket.destroy();
  await eventually('its end', async () => (await figures())['open'] === 0);
  expect(await figures()).toEqual(NONE);
});

test.each<[reason: string, bytes: string]>([
  ['head', 'GET / HTTP/1.1\r\n'],
  ['headers_too_large', `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`],
  ['unreadable', 'this is no HTTP\r\n\r\n'],
  ['body', `POST / HTTP/1.1\r\n${HEAD}`],
  ['lingering', `POST /refused HTTP/1.1\r\n${HEAD}`],
])('a connection that is closed for %s is counted once', async (reason, bytes) => {
  const { socket, closed } = client(bytes);
  const more = setInterval(() => socket.write('x'), 20);
  await closed;
  clearInterval(more);
  await eventually('its end', async () => (await figures())['open'] === 0);
  expect(await figures()).toEqual({ ...NONE, [reason]: 1 });
});

test('so is one whose client reads nothing', async () => {
  const { socket } = client('GET /large HTTP/1.1\r\nhost: deja\r\n\r\n');
  socket.pause();
  await eventually('its end', async () => (await figures())['unread'] === 1);
  await eventually('nobody to be left', async () => (await figures())['open'] === 0);
  expect(await figures()).toEqual({ ...NONE, unread: 1 });
});

test('and one that was one too many', async () => {
  for (let i = 0; i < 2; i++) await once(client('GET / HTTP/1.1\r\nhost: deja\r\n\r\n').socket, 'data');
  await client('').closed;
  expect(await figures()).toEqual({ ...NONE, open: 2, too_many: 1 });
});
