import { describe, expect, test } from '@jest/globals';
import { batchBill, responseBill } from './late-bill.ts';

const usage = { input_tokens: 100, input_tokens_details: { cached_tokens: 40 }, output_tokens: 20, output_tokens_details: { reasoning_tokens: 5 } };
const counts = { promptTokens: 100, cachedTokens: 40, cacheWriteTokens: 0, completionTokens: 20, reasoningTokens: 5 };

describe('what a batch used', () => {
  const batch = (of: object = {}) => ({ id: 'batch_1', object: 'batch', status: 'completed', model: 'gpt-5-2025-08-07', usage, ...of });

  test('is known when it has ended, at the tier of batches', () => {
    for (const status of ['completed', 'failed', 'expired', 'cancelled']) {
      expect(batchBill(batch({ status }), 'batch_1')).toEqual({ usage: { ...counts, serviceTier: 'batch' }, model: 'gpt-5-2025-08-07' });
    }
    for (const status of ['validating', 'in_progress', 'finalizing', 'cancelling', undefined, 7]) expect(batchBill(batch({ status }), 'batch_1')).toBeNull();
  });

  test.each([{ usage: null }, { usage: undefined }, { usage: 'much' }, { usage: {} }, { id: 'batch_2' }])('is unknown where it does not say: %j', (of) => expect(batchBill(batch(of), 'batch_1')).toBeNull());

  test('may be of no known model', () => expect(batchBill(batch({ model: undefined }), 'batch_1')).toMatchObject({ model: null }));
});

test('what a background response used is known when it has ended, at its own tier', () => {
  const response = { id: 'resp_1', object: 'response', created_at: 1, status: 'completed', model: 'gpt-5', output: [], usage, service_tier: 'flex' };
  expect(responseBill(response, 'resp_1')).toEqual({ usage: { ...counts, serviceTier: 'flex' }, model: 'gpt-5' });
  expect(responseBill({ ...response, status: 'in_progress' }, 'resp_1')).toBeNull();
  expect(responseBill(response, 'resp_2')).toBeNull();
});
