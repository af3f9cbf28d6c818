import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { Principal, RoutingSnapshot } from '@deja/contracts';
import { ClientAddresses } from '../keys/client-address.ts';
import { KeyRing } from '../keys/key-ring.ts';
import type { RoutingTable } from '../plan/routing-table.ts';
import { BodyMemory } from './body-memory.ts';
import { BodyReader, RefusedBody } from './body-reader.ts';

const memory = new BodyMemory(1024 * 1024);

const routing: Pick<RoutingTable, 'snapshot'> = { snapshot: () => ({ settings: { validation: { max_body_bytes: 200_000 } } }) as unknown as RoutingSnapshot };

/** What becomes of a body of this size; `read` is how much of it was taken. */
async function reading(bytes: number, { url = '/v1/chat/completions', remoteAddress = '192.0.2.1', key = {} }: { url?: string; remoteAddress?: string; key?: Partial<Principal> } = {}): Promise<Buffer | RefusedBody> {
  const principal = { tenant: 'acme', revision: 1, key: 'k', endpoints: null, networks: null, expiresAtMs: null, ...key } as Principal;
  const keys = new KeyRing({ resolve: async () => ({ status: 'active', principal }) });
  const body = Object.assign(Readable.from([Buffer.alloc(bytes)]), { headers: { authorization: 'Bearer k', 'content-length': String(bytes) }, url, socket: { remoteAddress } });
  return new BodyReader(keys, routing as RoutingTable, new ClientAddresses([]), memory).read(body as unknown as IncomingMessage);
}

describe('a large body', () => {
  test.each(['/v1/chat/completions', '/chat/completions?x=1', '/v1/chat/completions/'])('is read for a key that may send it to %s', async (url) => {
    expect(await reading(100_000, { url, key: { endpoints: ['chat/completions'], networks: ['192.0.2.0/24'] } })).toHaveLength(100_000);
  });

  test.each<[string, Parameters<typeof reading>[1]]>([
    ['endpoint_not_allowed', { key: { endpoints: ['embeddings'] } }],
    ['network_not_allowed', { key: { networks: ['198.51.100.0/24'] } }],
  ])('is not read where it is refused as %s', async (code, how) => {
    const refused = await reading(100_000, how);
    expect(refused).toBeInstanceOf(RefusedBody);
    expect(refused).toMatchObject({ error: { code } });
  });

  test('is not read beyond what its key may send, and whose it is is told', async () => {
    expect(await reading(300_000)).toMatchObject({ error: { code: 'request_too_large' }, principal: { tenant: 'acme' } });
  });
});

describe('a body', () => {
  const read = (body: Readable, headers: Record<string, string>): Promise<Buffer | RefusedBody> =>
    new BodyReader(new KeyRing({ resolve: () => Promise.reject(new Error('nobody is asked')) }), routing as RoutingTable, new ClientAddresses([]), memory).read(Object.assign(body, { headers, url: '/v1/chat/completions', socket: {} }) as unknown as IncomingMessage);

  test('is all its pieces in their order, or nothing', async () => {
    expect(await read(Readable.from([Buffer.from('a'), Buffer.from('bc'), Buffer.from('d')]), { 'content-length': '4' })).toEqual(Buffer.from('abcd'));
    expect(await read(Readable.from([]), { 'content-length': '0' })).toHaveLength(0);
    expect(memory.heldBytes).toBe(0);
  });

  test('of a byte a piece takes little more memory than its bytes', async () => {
    const bytes = 60_000;
    const body = await read(Readable.from(Array.from({ length: bytes }, (_, i) => Buffer.from([i % 251]))), { 'content-length': String(bytes) });
    expect(body).toEqual(Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251)));
    expect((body as Buffer).buffer.byteLength).toBeLessThan(2 * bytes);
  });

  test('for which there is no room is refused with 503 and the time to come back, and the next one that fits is read', async () => {
    const waiting = new Readable({ read: () => undefined });
    const first = read(waiting, { 'content-length': '10' });
    memory.take(1024 * 1024);
    try {
      waiting.push(Buffer.from('ab'));
      expect(await first).toMatchObject({ error: { code: 'overloaded', status: 503, retryAfterMs: 1000 } });
    } finally {
      memory.give(1024 * 1024);
    }
    expect(await read(Readable.from([Buffer.from('ab')]), { 'content-length': '2' })).toEqual(Buffer.from('ab'));
    expect(memory.heldBytes).toBe(0);
  });

  test.each<[string, (body: Readable) => void, object]>([
    ['that breaks off', (body) => void body.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })), { message: 'aborted', code: 'ECONNRESET' }],
    ['whose connection just closes', (body) => void body.destroy(), { code: 'ECONNRESET' }],
  ])('%s, before it is read or meanwhile, is none', async (_, breakOff, error) => {
    for (const isLate of [false, true]) {
      const body = new Readable({ read: () => undefined });
      body.on('error', () => undefined);
      body.push(Buffer.from('ab'));
      if (!isLate) breakOff(body);
      const reading = read(body, { 'content-length': '4' });
      if (isLate) breakOff(body);
      await expect(reading).rejects.toMatchObject(error);
      expect(memory.heldBytes).toBe(0);
    }
  });
});
