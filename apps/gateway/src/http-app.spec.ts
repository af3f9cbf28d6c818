import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Controller, Module, Post, Req, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ErrorFilter } from './error.filter.ts';
import { httpApp } from './http-app.ts';
import type { Runtime } from './runtime.ts';

let app: NestFastifyApplication;

/** Of the requests that reached a controller. */
const reached: unknown[] = [];

class Calls {
  call(request: FastifyRequest, reply: FastifyReply): void {
    reached.push(String(request.body));
    // An answer that is never made.
    if (request.body !== 'wait') void reply.send({ read: String(request.body) });
  }
}
Post('v1/call')(Calls.prototype, 'call', Object.getOwnPropertyDescriptor(Calls.prototype, 'call')!);
Req()(Calls.prototype, 'call', 0);
Res()(Calls.prototype, 'call', 1);
Controller()(Calls);

class OneCall {}
Module({ controllers: [Calls] })(OneCall);

beforeAll(async () => {
  const read = async (_: FastifyRequest, payload: AsyncIterable<Buffer>): Promise<string> => {
    const pieces: Buffer[] = [];
    for await (const piece of payload) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };
  app = await httpApp({ module: OneCall }, { read, isDraining: () => false, logger: false });
  app.useGlobalFilters(new ErrorFilter({ logger: { error: () => undefined } } as unknown as Runtime));
  await app.listen(0, '127.0.0.1');
});
afterAll(() => app.close());

/** What comes for these bytes until the connection is closed, or, where it stays open, for the answer to `settled`. */
async function sent(bytes: string, isSettled: (text: string) => boolean = () => false): Promise<{ text: string; closed: boolean }> {
  const socket: Socket = connect((app.getHttpServer().address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  let closed = false;
  socket.on('data', (data) => (text += data.toString('latin1'))).on('error', () => undefined);
  socket.once('close', () => (closed = true));
  socket.write(bytes, 'latin1');
  while (!closed && !isSettled(text)) await Promise.race([once(socket, 'data').catch(() => undefined), once(socket, 'close')]);
  socket.destroy();
  return { text, closed };
}

const head = (...lines: string[]): string => [...lines, '', ''].join('\r\n');

test.each([
  ['a plain one', head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 5') + 'hello'],
  ['one of HTTP/1.0', head('POST /v1/call HTTP/1.0', 'content-length: 5') + 'hello'],
  ['a chunked one', head('POST /v1/call HTTP/1.1', 'host: deja', 'Transfer-Encoding: Chunked') + '5;x=y\r\nhello\r\n0\r\n\r\n'],
])('%s is read', async (_, bytes) => {
  const { text } = await sent(bytes, (so) => so.includes('hello'));
  expect(text).toMatch(/^HTTP\/1\.1 20[01] /);
  expect(text).toContain('{"read":"hello"}');
});

test('whoever sends nothing, or never ends the head of a request, is told 408 after half a minute; not where an earlier request would take it for its answer', async () => {
  const server = app.getHttpServer();
  expect(server.headersTimeout).toBe(30_000);
  server.headersTimeout = 100; // Node looks every five seconds
  try {
    const waits = head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 4') + 'wait';
    const begun = 'POST /v1/call HTTP/1.1\r\nhost: deja\r\nx-slow: ';
    const [silent, slow, behind] = await Promise.all(['', begun, waits + begun].map((bytes) => sent(bytes)));
    for (const told of [silent, slow]) expect(told).toEqual({ closed: true, text: expect.stringMatching(/^HTTP\/1\.1 408 [^]*"The request did not arrive in time\."/) });
    expect(behind).toEqual({ closed: true, text: '' });
  } finally {
    server.headersTimeout = 30_000;
  }
}, 20_000);

test.each(['169.254.169.254:80', '/v1/call'])('CONNECT %s is answered with a 400, and its connection is closed', async (target) => {
  const { text, closed } = await sent(head(`CONNECT ${target} HTTP/1.1`, 'host: deja'));
  expect(text).toMatch(/^HTTP\/1\.1 400 [^]*"error"/);
  expect(closed).toBe(true);
});

test('a request that crosses with a 408 on its way is not carried out: its client will repeat it', async () => {
  const server = app.getHttpServer();
  server.headersTimeout = 100; // Node looks every five seconds
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    const [told] = (await once(socket, 'data')) as [Buffer];
    expect(told.toString()).toMatch(/^HTTP\/1\.1 408 /);
    socket.write(head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 4') + 'late');
    // Both are read in the order in which they came.
    expect(await sent(head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 5') + 'other', (text) => text.includes('read'))).toMatchObject({ text: expect.stringContaining('other') });
    expect(reached).toContain('other');
    expect(reached).not.toContain('late');
  } finally {
    server.headersTimeout = 30_000;
    socket.destroy();
  }
}, 20_000);
