import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { newId, type AlertReceiver, type AlertSettings } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import { shownReceiver } from '@deja/contracts';
import { DeliveryLoop } from '../src/alerts/notify/delivery-loop.ts';
import { DeliveryStore } from '../src/alerts/notify/delivery-store.ts';
import type { Notification } from '../src/alerts/notification.ts';
import { Cleanup, database, logger, migrateLedger } from './infrastructure.ts';

interface Heard {
  headers: IncomingHttpHeaders;
  body: string;
}

const cleanup = new Cleanup();
let pool: Pool;
let heard: Heard[] = [];
let statuses: number[] = [];
let hook: Server;
let hookUrl = '';
beforeAll(async () => {
  ({ pool } = await database(cleanup));
  await migrateLedger(pool);
  hook = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
      heard.push({ headers: request.headers, body: Buffer.concat(pieces).toString() });
      response.writeHead(statuses.shift() ?? 200, { location: hookUrl }).end();
    });
  });
  await new Promise<void>((resolve) => void hook.listen(0, '127.0.0.1', resolve));
  cleanup.add(() => new Promise((resolve) => hook.close(resolve)));
  hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/planted-path`;
}, 60_000);
beforeEach(async () => {
  await pool.query('truncate usage.alert_deliveries');
  heard = [];
  statuses = [];
});
afterAll(() => cleanup.run());

const notification: Notification = { id: newId(), alert: 'burn', state: 'firing', metric: 'error_rate', value: 0.5, threshold: 0.1, labels: { tenant: 'acme' }, started_at: '2026-11-26T10:00:00.000Z', resolved_at: null };

async function due(rule: string, receiver: AlertReceiver, atMs: number): Promise<string> {
  const id = newId();
  await pool.query(
    'insert into usage.alert_deliveries (id, notification, rule, receiver, shown, next_at, payload, created_at) values ($1, $2, $3, 0, $4, $5, $6, $5)',
    [id, notification.id, rule, JSON.stringify(shownReceiver(receiver)), new Date(atMs), JSON.stringify(notification)],
  );
  return id;
}

interface Asked {
  receivers: AlertReceiver[];
  nowMs?: number;
  allowed?: string[];
  smtp?: string;
}

function loop({ receivers, nowMs = Date.now(), allowed = [], smtp }: Asked): DeliveryLoop {
  const settings = { rules: [], smtp: smtp === undefined ? null : JSON.stringify({ url: smtp, from: 'deja@example.com' }) } as unknown as AlertSettings;
  return new DeliveryLoop({
    store: new DeliveryStore(pool),
    settings: { look: () => Promise.resolve(), settings: () => settings, receivers: () => Promise.resolve(receivers), open: (sealed) => Promise.resolve(sealed) },
    allowed: () => allowed,
    metrics: { delivered: () => undefined },
    logger,
    now: () => nowMs,
    random: () => 0.5,
  });
}

const rowOf = async (id: string): Promise<{ state: string; attempts: number; last_error: string | null; next_at: Date | null }> => (await pool.query('select state, attempts, last_error, next_at from usage.alert_deliveries where id = $1', [id])).rows[0];

test('what is due is sent once, however many replicas deliver at the same time', async () => {
  const nowMs = Date.now();
  const webhook: AlertReceiver = { kind: 'webhook', url: hookUrl, secret: 'whsec' };
  const ids = [];
  for (let i = 0; i < 40; i++) ids.push(await due('file:burn', webhook, nowMs));
  await Promise.all([1, 2, 3].map(() => loop({ receivers: [webhook], nowMs }).deliver()));
  expect(heard.length).toBe(40);
  expect(heard[0]?.headers['x-deja-signature']).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);
  for (const id of ids) expect(await rowOf(id)).toMatchObject({ state: 'delivered', attempts: 1 });
});

test('who does not take it is tried again after a pause, and a redirect is not followed', async () => {
  const nowMs = Date.now();
  const slack: AlertReceiver = { kind: 'slack', url: hookUrl };
  const id = await due('file:burn', slack, nowMs);
  statuses = [302, 500];
  await loop({ receivers: [slack], nowMs }).deliver();
  expect(await rowOf(id)).toEqual({ state: 'waiting', attempts: 1, last_error: 'it answered with status 302', next_at: new Date(nowMs + 10_000) });
  await loop({ receivers: [slack], nowMs: nowMs + 9_999 }).deliver();
  expect(heard.length).toBe(1);
  await loop({ receivers: [slack], nowMs: nowMs + 10_000 }).deliver();
  await loop({ receivers: [slack], nowMs: nowMs + 60_000 }).deliver();
  expect([heard.length, await rowOf(id)]).toEqual([3, { state: 'delivered', attempts: 3, last_error: null, next_at: null }]);
});

test('an address of the admin API that leads into the own network is not called, unless deja.yaml allows it; one of deja.yaml is', async () => {
  const nowMs = Date.now();
  const webhook: AlertReceiver = { kind: 'webhook', url: hookUrl, secret: null };
  const id = await due(newId(), webhook, nowMs);
  await loop({ receivers: [webhook], nowMs }).deliver();
  expect([heard.length, (await rowOf(id)).last_error]).toEqual([0, 'its address must not be called: see outbound.allow in deja.yaml']);
  await loop({ receivers: [webhook], nowMs: nowMs + 60_000, allowed: ['127.0.0.0/8'] }).deliver();
  expect([heard.length, (await rowOf(id)).state]).toEqual([1, 'delivered']);
});

test('a receiver that the rule does not name is told nothing: for a minute it may be one of a rule that is new, then it is given up', async () => {
  const nowMs = Date.now();
  const id = await due('file:burn', { kind: 'slack', url: 'https://hooks.example.com/a' }, nowMs);
  const others: AlertReceiver[] = [{ kind: 'webhook', url: hookUrl, secret: null }];
  await loop({ receivers: others, nowMs }).deliver();
  expect([heard.length, await rowOf(id)]).toMatchObject([0, { state: 'waiting', last_error: 'the rule has no such receiver any more' }]);
  await loop({ receivers: others, nowMs: nowMs + 61_000 }).deliver();
  expect([heard.length, await rowOf(id)]).toMatchObject([0, { state: 'failed', last_error: 'the rule has no such receiver any more' }]);
});

test('why it was not delivered says nothing of address or secret, and after a day it is given up', async () => {
  const nowMs = Date.now();
  const webhook: AlertReceiver = { kind: 'webhook', url: 'http://127.0.0.1:9/planted-path', secret: 'planted-secret' };
  const id = await due('file:burn', webhook, nowMs - 24 * 3_600_000);
  await loop({ receivers: [webhook], nowMs }).deliver();
  const row = await rowOf(id);
  expect(row).toMatchObject({ state: 'failed', last_error: expect.stringContaining('cannot be reached') });
  expect(JSON.stringify(row)).not.toContain('planted');
});

/** Speaks as much SMTP as a client needs (RFC 5321), and keeps what it is given. */
async function mailServer(): Promise<{ url: string; mails: string[]; server: TcpServer }> {
  const mails: string[] = [];
  const server = createTcpServer((socket) => {
    let [text, inData] = ['', false];
    socket.write('220 test ESMTP\r\n');
    socket.on('data', (piece) => {
      text += piece.toString();
      for (let end = text.indexOf(inData ? '\r\n.\r\n' : '\r\n'); end >= 0; end = text.indexOf(inData ? '\r\n.\r\n' : '\r\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + (inData ? 5 : 2));
        if (inData) mails.push(line);
        socket.write(inData ? '250 taken\r\n' : /^DATA/i.test(line) ? '354 go on\r\n' : /^QUIT/i.test(line) ? '221 bye\r\n' : '250 fine\r\n');
        inData = !inData && /^DATA/i.test(line);
      }
    });
    socket.on('error', () => undefined); // a client that hangs up
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, mails, server };
}

test('an e-mail goes to all by SMTP, in plain words', async () => {
  const { url, mails, server } = await mailServer();
  const nowMs = Date.now();
  const email: AlertReceiver = { kind: 'email', to: ['ops@example.com', 'cfo@example.com'] };
  const id = await due('file:burn', email, nowMs);
  await loop({ receivers: [email], nowMs, smtp: url }).deliver();
  server.close();
  expect(await rowOf(id)).toMatchObject({ state: 'delivered' });
  expect(mails.length).toBe(1);
  for (const part of ['From: deja@example.com', 'ops@example.com', 'cfo@example.com', 'Subject: [firing] burn: requests that failed 50 % (above 10 %), tenant acme']) expect(mails[0]).toContain(part);
});
