import { EmbeddedIndex } from '../src/index/embedded/embedded-index.ts';
import { CONTRACT_DIMENSIONS, describeIndexContract } from './index-contract.ts';

describeIndexContract('the embedded index', async () => ({
  index: new EmbeddedIndex({ dimensions: CONTRACT_DIMENSIONS, maxEntriesPerTenant: 1000, maxEntries: 10_000, maxBytesPerTenant: 1e9 }),
  close: () => Promise.resolve(),
}));
