import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import { Controller, Get, Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ClientsOfAStall } from '../test/clients-of-a-stall.ts';
import { OwnFront } from './front.ts';
import { httpApp } from './http-app.ts';
import { OpenConnections } from './open-connections.ts';

/** More than Node has the kernel keep unless it is told otherwise (511). */
const MANY = 1000;
const HOST = '127.0.0.1';
const REQUEST = 'GET /asked HTTP/1.1\r\nhost: test\r\n\r\n';

class Calls {
  asked(): string {
    return 'answered';
  }
}
Get('asked')(Calls.prototype, 'asked', Object.getOwnPropertyDescriptor(Calls.prototype, 'asked')!);
Controller()(Calls);
class OneCall {}
Module({ controllers: [Calls] })(OneCall);

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Open {
  port: number;
  http: HttpServer;
  /** As a gateway stops. */
  close: () => Promise<void>;
}

async function open(port = 0, most = Infinity): Promise<Open> {
  const front = new OwnFront({ host: HOST, opsPort: 0 });
  const app: NestFastifyApplication = await httpApp({ module: OneCall }, { read: async () => null, isDraining: () => false, logger: false });
  const http: HttpServer = app.getHttpServer();
  const connections = new OpenConnections(http, { most });
  const close = async (): Promise<void> => {
    await front.closing();
    http.closeAllConnections();
    await app.close();
  };
  ends.push(close);
  const bound = await front.listen('client', app, port);
  return {
    port: bound!, http,
    close: async () => {
      ends.splice(ends.indexOf(close), 1);
      await front.closing();
      await connections.closeBy(() => app.getHttpAdapter().close());
      await app.close();
    },
  };
}

async function stall(port: number, fresh: number): Promise<ClientsOfAStall> {
  const clients = await ClientsOfAStall.ready({ port, kept: 0, fresh, request: REQUEST, quietMs: 0 });
  ends.push(() => clients.end());
  clients.stall();
  return clients;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function elsewhere(port: number): Promise<Server> {
  const server = createServer();
  ends.push(() => server.close());
  server.listen({ port, host: HOST });
  await once(server, 'listening');
  return server;
}

describe('a gateway of one process', () => {
  test('keeps more connections waiting than Node does unless told, and accepts many of them in a turn of its event loop', async () => {
    const { port, http } = await open();
    let accepted = 0;
    http.on('connection', () => void (accepted += 1));
    await stall(port, MANY);
    let turns = 0;
    for (; accepted < MANY; turns++) await turn();
    // The kernel does not spread them evenly; one a turn would be MANY turns, as it is where a port has one handle.
    expect(turns).toBeLessThan(process.platform === 'linux' ? MANY / 4 : MANY + 10);
  });

  test('that closes first answers all that came to it while it stood still', async () => {
    const { port, close } = await open();
    const clients = await stall(port, MANY);
    await Promise.all([close(), clients.untilClosed(MANY)]);
    expect(clients.texts.filter((text) => /^HTTP\/1.1 200 [^]*answered$/.test(text))).toHaveLength(MANY);
  });

  test('bounds its connections whichever way they came', async () => {
    const { port, http } = await open(0, 10);
    let served = 0;
    http.on('request', () => void (served += 1));
    const clients = await stall(port, 50);
    await clients.untilClosed(40);
    expect(clients.texts).toEqual(Array(40).fill(''));
    expect(served).toBe(10);
  });

  test('answers a client that has ended its half of the connection', async () => {
    const { port } = await open();
    for (let i = 0; i < 50; i++) {
      const socket = connect({ port, host: HOST, allowHalfOpen: true });
      socket.end(REQUEST);
      let text = '';
      for await (const data of socket.setEncoding('utf8')) text += String(data);
      expect(text).toMatch(/^HTTP\/1.1 200 [^]*answered$/);
    }
  });

  test('does not start on a port that another one has, nor does anything else on its own', async () => {
    const { port } = await open();
    await expect(open(port)).rejects.toMatchObject({ code: 'EADDRINUSE', port });
    await expect(elsewhere(port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const { port: taken } = (await elsewhere(0)).address() as AddressInfo;
    await expect(open(taken)).rejects.toMatchObject({ code: 'EADDRINUSE', port: taken });
  });
});
