import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { freePort, isFree, nextFreePort } from './port.ts';

let server: Server | null = null;
afterEach(() => {
  server?.close();
});

async function occupied(): Promise<number> {
  const port = await freePort();
  server = createServer();
  await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
  return port;
}

test('a free port can be listened on, a busy one is known as busy', async () => {
  expect(await isFree(await freePort())).toBe(true);
  expect(await isFree(await occupied())).toBe(false);
});

test('a busy or promised port gives way to the next free one', async () => {
  const busy = await occupied();
  const next = await nextFreePort(busy, '127.0.0.1', new Set());
  expect(next).toBeGreaterThan(busy);
  expect(await nextFreePort(next, '127.0.0.1', new Set([next]))).toBeGreaterThan(next);
});

test('a host that is not of this machine is an error, not a busy port', async () => {
  await expect(isFree(0, '192.0.2.1')).rejects.toThrow('EADDRNOTAVAIL');
});
