import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import type { UsageEvent } from '@deja/contracts';
import fc from 'fast-check';
import { jobData, written } from './job-data.ts';

test('a job has the JSON of its events, as if they were written together', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 20 }), async (values) => {
      const events = values as unknown as UsageEvent[];
      const { v, z } = await jobData(events.map(written));
      expect(v).toBe(2);
      expect(zstdDecompressSync(Buffer.from(z, 'base64')).toString()).toBe(JSON.stringify(events));
    }),
  );
});

test('a job of many events, which is compressed in another thread, is one like any other', async () => {
  const events = Array.from({ length: 200 }, (_, n) => ({ kind: 'settled', id: String(n), tags: { text: 'a'.repeat(1000) } })) as unknown as UsageEvent[];
  const { z } = await jobData(events.map(written));
  expect(JSON.parse(zstdDecompressSync(Buffer.from(z, 'base64')).toString())).toEqual(events);
});
