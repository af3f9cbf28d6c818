import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { CONNECTION_DEADLINES, Slowness, type Sight, type Slow } from './connection-deadlines.ts';
import { OpenConnections } from './open-connections.ts';

/** What is found in looks one second apart. */
function found(sights: ((s: number) => Omit<Sight, 'nowMs'>)[]): (Slow | null)[] {
  const slowness = new Slowness();
  return sights.map((sight, s) => slowness.look({ nowMs: s * 1000, ...sight(s) }, CONNECTION_DEADLINES));
}
const looks = (n: number, sight: (s: number) => Omit<Sight, 'nowMs'>): ((s: number) => Omit<Sight, 'nowMs'>)[] => Array.from({ length: n }, () => sight);
const body = (read: number, more: Partial<NonNullable<Sight['body']>> = {}): Omit<Sight, 'nowMs'> => ({ body: { read, unread: false, answeredMs: null, ...more }, taken: 0, waits: false });

describe('a connection', () => {
  test('whose body drips is too slow after half a minute, also when its beginning was fast', () => {
    expect(found(looks(31, (s) => body(s)))).toEqual([...Array<null>(30).fill(null), 'body']);
    expect(found(looks(62, (s) => body(s === 0 ? 0 : 1_000_000 + s))).indexOf('body')).toBe(60);
  });

  test('whose body comes steadily may take its time', () => {
    expect(found(looks(3600, (s) => body(s * 600))).every((slow) => slow === null)).toBe(true);
  });

  test('is not blamed for what it has sent and nobody has taken', () => {
    expect(found(looks(100, () => body(70_000, { unread: true }))).every((slow) => slow === null)).toBe(true);
  });

  test('that goes on with a body which has been answered is closed after half a minute', () => {
    expect(found(looks(31, (s) => body(s * 1_000_000, { answeredMs: 0 }))).indexOf('lingering')).toBe(30);
  });

  test('that reads nothing of an answer is given up after a minute; one that reads on is not', () => {
    const waiting = (taken: number): Omit<Sight, 'nowMs'> => ({ body: null, taken, waits: true });
    expect(found(looks(61, () => waiting(5))).indexOf('unread')).toBe(60);
    expect(found(looks(600, (s) => waiting(Math.floor(s / 50)))).every((slow) => slow === null)).toBe(true);
    expect(found(looks(600, (s) => ({ ...waiting(5), waits: s % 50 !== 0 }))).every((slow) => slow === null)).toBe(true);
  });
});

describe('a server', () => {
  let server: Server;
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.closeAllConnections();
    server.close();
  });

  async function listening(answer: (request: IncomingMessage, response: ServerResponse) => void, { most, unreadMs = 600 }: { most?: number; unreadMs?: number } = {}): Promise<void> {
    server = createServer(answer);
    const connections = new OpenConnections(server, { ...(most !== undefined && { most }), deadlines: { lookMs: 20, bodyMs: 200, bodyBytes: 1000, lingerMs: 200, unreadMs } });
    expect(connections).toBeDefined();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }

  function client(bytes: string): { socket: Socket; text: () => string; closed: Promise<unknown> } {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    socket.on('data', (data) => (text += data.toString())).on('error', () => undefined);
    socket.write(bytes);
    return { socket, text: () => text, closed: new Promise((resolve) => void socket.once('close', resolve)) };
  }

  const HEAD = 'POST / HTTP/1.1\r\nhost: deja\r\ncontent-length: 100000\r\n\r\n';

  test('tells whoever drips a body 408 and closes', async () => {
    await listening((request) => void request.resume());
    const { socket, text, closed } = client(HEAD);
    const dripping = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(dripping);
    expect(text()).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('closes without a 408 where it would be taken for the answer to an earlier request', async () => {
    await listening((request) => void request.resume());
    const { socket, text, closed } = client(`GET / HTTP/1.1\r\nhost: deja\r\n\r\n${HEAD}`);
    const dripping = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(dripping);
    expect(text()).toBe('');
  });

  test('closes on whoever goes on with a body that was answered', async () => {
    await listening((request, response) => {
      request.resume();
      response.end('no');
    });
    const { socket, text, closed } = client(HEAD);
    const dripping = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(dripping);
    expect(text()).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('gives up whoever reads nothing of a whole answer', async () => {
    const gone = Promise.withResolvers<boolean>();
    await listening((_, response) => {
      response.once('close', () => gone.resolve(response.writableFinished));
      response.end(Buffer.alloc(64 * 1024 * 1024));
    });
    const { socket } = client('GET / HTTP/1.1\r\nhost: deja\r\n\r\n');
    socket.pause();
    expect(await gone.promise).toBe(false);
  });

  test('does not give up whoever reads a large answer slowly, although it is one write', async () => {
    const whole = Promise.withResolvers<boolean>();
    await listening((_, response) => {
      response.once('close', () => whole.resolve(response.writableFinished));
      response.end(Buffer.alloc(32 * 1024 * 1024));
    }, { unreadMs: 1500 });
    const { socket } = client('GET / HTTP/1.1\r\nhost: deja\r\n\r\n');
    socket.on('data', () => {
      socket.pause();
      setTimeout(() => socket.resume(), 5);
    });
    expect(await whole.promise).toBe(true);
  });

  test('holds no more connections than it is told, and the next one when one has left', async () => {
    await listening((_, response) => void response.end('yes'), { most: 1 });
    const GET = 'GET / HTTP/1.1\r\nhost: deja\r\n\r\n';
    const first = client(GET);
    while (!first.text().includes('yes')) await once(first.socket, 'data');
    const second = client(GET);
    await second.closed;
    expect(second.text()).toBe('');
    first.socket.destroy();
    for (let text = ''; !text.includes('yes'); ) {
      const next = client(GET);
      await Promise.race([once(next.socket, 'data'), next.closed]);
      text = next.text();
    }
  });
});
