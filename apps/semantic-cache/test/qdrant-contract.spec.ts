// The contract of the index, kept by the Qdrant one: against the fake, and against a real server where QDRANT_URL names one (QDRANT_API_KEY opens it).
import { randomUUID } from 'node:crypto';
import { QdrantClient } from '@qdrant/js-client-rest';
import { FakeQdrant } from '@deja/testing';
import { QdrantIndex } from '../src/index/qdrant/qdrant-index.ts';
import { CONTRACT_DIMENSIONS, describeIndexContract, NOW_MS, type OpenIndex } from './index-contract.ts';

const silent = { info: () => undefined, warn: () => undefined };

async function openAt(url: string, apiKey: string | null, close: (prefix: string) => Promise<unknown>): Promise<OpenIndex> {
  const prefix = `deja-test-${randomUUID()}`;
  const index = new QdrantIndex({
    url,
    apiKey,
    embedder: { name: 'static-256@1', dimensions: CONTRACT_DIMENSIONS },
    timeoutMs: 10_000,
    bounds: { maxEntriesPerTenant: 1000, maxBytesPerTenant: 1_000_000 },
    logger: silent,
    now: () => NOW_MS,
    prefix,
  });
  index.start();
  await index.whenReady();
  return {
    index,
    close: async () => {
      await index.close();
      await close(prefix);
    },
  };
}

describeIndexContract('the index in Qdrant, on a fake server', async () => {
  const fake = await FakeQdrant.start();
  return openAt(fake.url, null, () => fake.stop());
});

const url = process.env['QDRANT_URL'] ?? '';
const apiKey = process.env['QDRANT_API_KEY'] ?? null;
if (url !== '') {
  describeIndexContract('the index in Qdrant, on a real server', () =>
    openAt(url, apiKey, async (prefix) => {
      const { protocol, host } = new URL(url);
      const client = new QdrantClient({ url: `${protocol}//${host}`, checkCompatibility: false, headers: apiKey === null ? {} : { 'api-key': apiKey } });
      await client.deleteCollection(`${prefix}_static-256_1_${CONTRACT_DIMENSIONS}_v1`);
    }),
  );
}
