import 'reflect-metadata';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { All, Controller, Module, Req, Res } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ErrorFilter } from './error.filter.ts';
import { httpApp } from './http-app.ts';
import { Runtime } from './runtime.ts';

let app: NestFastifyApplication;
let port: number;
/** What came as far as to a controller. */
const served: string[] = [];

@Controller('v1')
class Echo {
  @All(':name')
  echo(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    served.push(request.raw.url ?? '');
    void reply.send({ served: true });
  }
}

@Module({})
class App {}

beforeAll(async () => {
  const providers = [{ provide: Runtime, useValue: { logger: { error: () => undefined } } }, { provide: APP_FILTER, useFactory: (runtime: Runtime) => new ErrorFilter(runtime), inject: [Runtime] }];
  app = await httpApp({ module: App, controllers: [Echo], providers }, {
    isDraining: () => false,
    logger: false,
    read: async (_request, payload) => Buffer.concat(await payload.toArray() as Buffer[]),
  });
  await app.listen(0, '127.0.0.1');
  const address = app.getHttpServer().address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(() => app.close());

const HOST = 'host: deja\r\n';
const SECOND = `GET /v1/second HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`;

/** All that comes back until the connection is closed. */
async function answersTo(bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (data: string) => (text += data)).on('error', () => undefined);
  served.length = 0;
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return text;
}

const post = (headers: string, body: string): string => `POST /v1/first HTTP/1.1\r\n${HOST}${headers}\r\n${body}`;
const get = (line: string, headers = HOST): string => `${line}\r\n${headers}\r\n`;
const CHUNKS = '3\r\nabc\r\n0\r\n\r\n';
/** A body that is a request of its own, to whoever thinks that the body before it has ended. */
const INNER = `POST /v1/inner HTTP/1.1\r\n${HOST}content-length: 8\r\n\r\nsmuggled`;

describe('a request with more than one reading is refused, its connection closed, and what stands behind it is never read as a request:', () => {
  test.each<[string, string]>([
    ['both a length and a transfer-encoding', post('content-length: 5\r\ntransfer-encoding: chunked\r\n', CHUNKS)],
    ['both, and a request within', post('content-length: 4\r\ntransfer-encoding: chunked\r\n', `0\r\n\r\n${INNER}`)],
    ['a transfer-encoding and then a length', post('transfer-encoding: chunked\r\ncontent-length: 5\r\n', CHUNKS)],
    ['two lengths', post('content-length: 1\r\ncontent-length: 2\r\n', 'ab')],
    ['a length of nothing, then that of a request within', post(`content-length: 0\r\ncontent-length: ${INNER.length}\r\n`, INNER)],
    ['one length twice', post('content-length: 1\r\ncontent-length: 1\r\n', 'a')],
    ['a list of lengths', post('content-length: 1, 1\r\n', 'a')],
    ['a length with a sign', post('content-length: +1\r\n', 'a')],
    ['a length below zero', post('content-length: -1\r\n', 'a')],
    ['a length in hex', post('content-length: 0x1\r\n', 'a')],
    ['a length that is empty', post('content-length:\r\n', '')],
    ['a length beyond all numbers', post('content-length: 99999999999999999999999\r\n', 'a')],
    ['a transfer-encoding that is none', post('transfer-encoding: xchunked\r\n', CHUNKS)],
    ['a transfer-encoding that is empty', post('transfer-encoding:\r\n', CHUNKS)],
    ['a transfer-encoding before chunked', post('transfer-encoding: gzip, chunked\r\n', CHUNKS)],
    ['a transfer-encoding after chunked', post('transfer-encoding: chunked, gzip\r\n', CHUNKS)],
    ['a transfer-encoding without chunked', post('transfer-encoding: gzip\r\n', '')],
    ['the transfer-encoding identity', post('transfer-encoding: identity\r\n', '')],
    ['chunked twice', post('transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n', CHUNKS)],
    ['chunked twice in one header', post('transfer-encoding: chunked, chunked\r\n', CHUNKS)],
    ['a blank between the header and its colon', post('transfer-encoding : chunked\r\n', CHUNKS)],
    ['a vertical tab before chunked', post('transfer-encoding:\x0bchunked\r\n', CHUNKS)],
    ['chunked in HTTP/1.0', post('transfer-encoding: chunked\r\n', CHUNKS).replace('HTTP/1.1', 'HTTP/1.0')],
    ['a chunk whose size is no number', post('transfer-encoding: chunked\r\n', 'zz\r\nabc\r\n0\r\n\r\n')],
    ['a chunk whose size is 0x0', post('transfer-encoding: chunked\r\n', `0x0\r\n\r\n${INNER}`)],
    ['a chunk whose size is beyond all numbers', post('transfer-encoding: chunked\r\n', 'fffffffffffffffffff\r\nabc\r\n0\r\n\r\n')],
    ['a chunk that is longer than it says', post('transfer-encoding: chunked\r\n', '1\r\nab\r\n0\r\n\r\n')],
    ['chunks with bare line feeds', post('transfer-encoding: chunked\r\n', '3\nabc\n0\n\n')],
    ['a header that goes on in the next line', get('GET /v1/first HTTP/1.1', `${HOST}x: a\r\n b\r\n`)],
    ['a transfer-encoding that goes on in the next line', post('transfer-encoding:\r\n chunked\r\n', CHUNKS)],
    ['bare line feeds', `GET /v1/first HTTP/1.1\nhost: deja\n\n`],
    ['a bare line feed in the headers', `GET /v1/first HTTP/1.1\r\nhost: deja\nx: y\r\n\r\n`],
    ['a bare carriage return in a header', get('GET /v1/first HTTP/1.1', 'host: deja\rx: y\r\n')],
    ['NUL in the value of a header', get('GET /v1/first HTTP/1.1', `${HOST}x: a\0b\r\n`)],
    ['NUL in the name of a header', get('GET /v1/first HTTP/1.1', `${HOST}x\0: b\r\n`)],
    ['two host headers', get('GET /v1/first HTTP/1.1', 'host: deja\r\nHost: other\r\n')],
    ['the same host header twice', get('GET /v1/first HTTP/1.1', `${HOST}${HOST}`)],
    ['two content-types', post('content-type: application/json\r\nContent-Type: multipart/form-data; boundary=a\r\ncontent-length: 2\r\n', '{}')],
    ['two boundaries', post('content-type: multipart/form-data; boundary=a\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 2\r\n', '{}')],
    ['two credentials', get('GET /v1/first HTTP/1.1', `${HOST}authorization: Bearer a\r\nauthorization: Bearer b\r\n`)],
    ['no host header', get('GET /v1/first HTTP/1.1', '')],
    ['a host that is none', get('GET /v1/first HTTP/1.1', 'host: a b/c\r\n')],
    ['a host with a user', get('GET /v1/first HTTP/1.1', 'host: a@b\r\n')],
    ['HTTP/2.0', get('GET /v1/first HTTP/2.0')],
    ['HTTP/0.9', 'GET /v1/first\r\n\r\n'],
    ['HTTP/1.2', get('GET /v1/first HTTP/1.2')],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a method in lower case', get('get /v1/first HTTP/1.1')],
    ['a control character in the path', get('GET /v1/a\x01b HTTP/1.1')],
    ['a path without a slash', get('GET v1/first HTTP/1.1')],
    ['a blank in the target', get('GET http://a b/v1/first HTTP/1.1')],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s', async (_, bytes) => {
    const text = await answersTo(bytes + SECOND);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toMatch(/^connection: close\r$/im);
    expect(text).toMatch(/\r\n\r\n\{"error":\{"message":"[^"]+","type":"invalid_request_error","param":(null|"[\w-]+"),"code":"invalid_value"\}\}$/);
    expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(served).toEqual([]);
  });
});

describe('a request is refused with a 400 that says so where its target cannot be read:', () => {
  test.each(['http://[/v1/files', 'http://[::1/v1/files?a=b', '//[/v1/files', 'http://a:b/v1/files', '/v1/%zz', '/v1/first#', '/v1/first#/../second', 'http://deja/v1/first#x'])('%s', async (target) => {
    const text = await answersTo(get(`GET ${target} HTTP/1.1`) + SECOND);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('"param":"path"');
    expect(served).not.toContain(target);
  });
});

describe('what HTTP allows is served, and the next request of the connection too:', () => {
  test.each<[string, string]>([
    ['a whole URL as the target', get('GET http://deja/v1/first HTTP/1.1')],
    ['chunks with extensions', post('transfer-encoding: chunked\r\n', '3;a=b\r\nabc\r\n0\r\n\r\n')],
    ['Chunked in capitals', post('Transfer-Encoding: CHUNKED\r\n', CHUNKS)],
    ['chunks with trailers', post('transfer-encoding: chunked\r\n', '3\r\nabc\r\n0\r\nx: y\r\n\r\n')],
    ['a host with a port', get('GET /v1/first HTTP/1.1', 'HOST: deja:3000\r\n')],
    ['an IPv6 address as the host', get('GET /v1/first HTTP/1.1', 'host: [::1]:3000\r\n')],
    ['one content-type twice', post('content-type: text/plain\r\ncontent-type: text/plain\r\ncontent-length: 1\r\n', 'a')],
    ['one content-type in two spellings', post('Content-Type: application/json\r\ncontent-type: Application/JSON; charset=utf-8\r\ncontent-length: 2\r\n', '{}')],
    ['an empty host', get('GET /v1/first HTTP/1.1', 'host:\r\n')],
    ['a GET with a body', get('GET /v1/first HTTP/1.1', `${HOST}content-length: 3\r\n`) + 'abc'],
    ['an empty line before the request', `\r\n${get('GET /v1/first HTTP/1.1')}`],
  ])('%s', async (_, bytes) => {
    const text = await answersTo(bytes + SECOND);
    expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
    expect(served).toHaveLength(2);
  });

  test('what asks for another protocol is answered in this one, and the connection stays', async () => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    for (const _ of [1, 2]) {
      socket.write(get('GET /v1/first HTTP/1.1', `${HOST}connection: upgrade, http2-settings\r\nupgrade: h2c\r\n`));
      const [text] = (await once(socket, 'data')) as [string];
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(text).not.toMatch(/^connection: close\r$/im);
    }
    socket.destroy();
  });
});
