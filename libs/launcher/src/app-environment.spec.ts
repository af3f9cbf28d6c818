import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { assignSeats } from './app-environment.ts';
import { freePort } from './port.ts';

const HOST = '127.0.0.1';

async function whileBusy<T>(port: number, work: () => Promise<T>): Promise<T> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  try {
    return await work();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test('further gateways listen on the next ports, further ops ports lie ten apart, and no port is given twice', async () => {
  const port = await freePort();
  const seats = await assignSeats({ gateway: 2, router: 2, 'semantic-cache': 1, 'usage-worker': 1 }, { host: HOST, port, opsPort: 0 });
  expect(seats.map(({ app, n }) => `${app}-${n}`)).toEqual(['gateway-1', 'gateway-2', 'router-1', 'router-2', 'semantic-cache-1', 'usage-worker-1']);
  expect(seats.map((seat) => seat.port)).toEqual([port, port + 1, null, null, null, null]);
  const all = seats.flatMap((seat) => (seat.port === null ? [seat.opsPort] : [seat.port, seat.opsPort]));
  expect(new Set(all).size).toBe(all.length);
});

test('a busy ops port gives way to a free one', async () => {
  const opsPort = await freePort();
  const seats = await whileBusy(opsPort, () => assignSeats({ gateway: 1, router: 0, 'semantic-cache': 0, 'usage-worker': 0 }, { host: HOST, port: 0, opsPort }));
  expect(seats[0]!.opsPort).toBeGreaterThan(opsPort);
});

test('a busy client port is one sentence with the port and the way out', async () => {
  const port = await freePort();
  const seats = whileBusy(port, () => assignSeats({ gateway: 1, router: 1, 'semantic-cache': 1, 'usage-worker': 1 }, { host: HOST, port, opsPort: 0 }));
  await expect(seats).rejects.toThrow(`Port ${port} is in use by another program: stop that one, or choose another port with PORT=${port + 100} npm start.`);
});
