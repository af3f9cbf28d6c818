import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Controller, Module, Post, Req, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ErrorFilter } from './error.filter.ts';
import { httpApp } from './http-app.ts';
import type { Runtime } from './runtime.ts';

let app: NestFastifyApplication;
/** Of the requests that reached a controller. */
const reached: string[] = [];

class Calls {
  call(request: FastifyRequest, reply: FastifyReply): void {
    reached.push(String(request.body));
    void reply.send({ read: String(request.body) });
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

/** A request of a body that holds another request: read in two ways, it is two. */
const INNER = 'POST /v1/call HTTP/1.1\r\nhost: deja\r\ncontent-length: 8\r\n\r\nsmuggled';
const head = (...lines: string[]): string => [...lines, '', ''].join('\r\n');

describe('a request whose end two readers may see in different places', () => {
  test.each([
    ['with a content-length and a transfer-encoding', head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 4', 'transfer-encoding: chunked') + `0\r\n\r\n${INNER}`],
    ['with them the other way round', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: chunked', 'content-length: 4') + `0\r\n\r\n${INNER}`],
    ['with two content-lengths', head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 0', `content-length: ${INNER.length}`) + INNER],
    ['with a list of content-lengths', head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 0, 0') + INNER],
    ['with a signed content-length', head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: +0') + INNER],
    ['with a transfer-encoding before chunked', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: gzip, chunked') + `0\r\n\r\n${INNER}`],
    ['with a transfer-encoding after chunked', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: chunked, identity') + `0\r\n\r\n${INNER}`],
    ['with transfer-encoding identity', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: identity') + INNER],
    ['with two transfer-encodings', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: chunked', 'transfer-encoding: chunked') + `0\r\n\r\n${INNER}`],
    ['with a transfer-encoding that is none', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: xchunked') + `0\r\n\r\n${INNER}`],
    ['with a blank before the colon', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding : chunked') + `0\r\n\r\n${INNER}`],
    ['with a folded header', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding:', ' chunked') + `0\r\n\r\n${INNER}`],
    ['that is chunked in HTTP/1.0', head('POST /v1/call HTTP/1.0', 'host: deja', 'connection: keep-alive', 'transfer-encoding: chunked') + `0\r\n\r\n${INNER}`],
    ['with a chunk length that is no number', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: chunked') + `0x0\r\n\r\n${INNER}`],
    ['with a chunk that is longer than it says', head('POST /v1/call HTTP/1.1', 'host: deja', 'transfer-encoding: chunked') + `1\r\nab\r\n0\r\n\r\n${INNER}`],
    ['with lines that end in LF alone', `POST /v1/call HTTP/1.1\nhost: deja\ncontent-length: 0\n\n${INNER}`],
    ['with a NUL in a header', head('POST /v1/call HTTP/1.1', 'host: deja', 'x-a: b\0c', 'content-length: 0') + INNER],
    ['with a CR in a header', head('POST /v1/call HTTP/1.1', 'host: deja', 'x-a: b\rcontent-length: 0') + INNER],
    ['with two hosts', head('POST /v1/call HTTP/1.1', 'host: deja', 'Host: other', 'content-length: 0') + INNER],
    ['with no host', head('POST /v1/call HTTP/1.1', 'content-length: 0') + INNER],
    ['of HTTP/2.0', head('POST /v1/call HTTP/2.0', 'host: deja', 'content-length: 0') + INNER],
    ['of HTTP/0.9', head('POST /v1/call HTTP/0.9', 'host: deja', 'content-length: 0') + INNER],
    ['with a target that is no path', head('POST v1/call HTTP/1.1', 'host: deja', 'content-length: 0') + INNER],
  ])('%s is answered with 400 or not at all, and its connection is closed', async (_, bytes) => {
    reached.length = 0;
    const { text, closed } = await sent(bytes);
    expect(closed).toBe(true);
    expect(text.match(/^HTTP\/1\.1 \d+/gm) ?? ['HTTP/1.1 400']).toEqual(['HTTP/1.1 400']);
    expect(text).not.toContain('smuggled');
    expect(reached).not.toContain('smuggled');
  });
});

test.each(['http://[/v1/call', 'http://[::1/v1/call?a=b', 'http://a b/v1/call', 'http://deja:x/v1/call', '//[/v1/call', '/v1/%zz'])('the target %s is answered with a 4xx', async (target) => {
  const { text } = await sent(head(`POST ${target} HTTP/1.1`, 'host: deja', 'content-length: 0'), (so) => so.includes('"error"'));
  expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
});

test.each([
  ['a plain one', head('POST /v1/call HTTP/1.1', 'host: deja', 'content-length: 5') + 'hello'],
  ['one of HTTP/1.0', head('POST /v1/call HTTP/1.0', 'content-length: 5') + 'hello'],
  ['a chunked one', head('POST /v1/call HTTP/1.1', 'host: deja', 'Transfer-Encoding: Chunked') + '5;x=y\r\nhello\r\n0\r\n\r\n'],
])('%s is read', async (_, bytes) => {
  const { text } = await sent(bytes, (so) => so.includes('hello'));
  expect(text).toMatch(/^HTTP\/1\.1 20[01] /);
  expect(text).toContain('{"read":"hello"}');
});
