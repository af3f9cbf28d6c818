import { SERVICE_TIERS, type Usage } from '@deja/contracts';
import fc from 'fast-check';
import { otherUsageOf, usageIn } from './other-usage.ts';

const positive = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const others = fc.record(
  {
    audioInputTokens: positive, imageInputTokens: positive, audioOutputTokens: positive, imageOutputTokens: positive, images: positive,
    audioSeconds: fc.double({ min: 0.001, max: 1e6, noNaN: true }), characters: positive, serviceTier: fc.constantFrom(...SERVICE_TIERS),
  },
  { requiredKeys: [] },
);
const text = { promptTokens: 4, cachedTokens: 3, cacheWriteTokens: 1, completionTokens: 2, reasoningTokens: 1 };

test('what was used can be told from the row again', () => {
  fc.assert(fc.property(others, (more) => {
    const usage: Usage = { ...text, ...more };
    const row = { prompt_tokens: 4, cached_tokens: 3, cache_write_tokens: 1, completion_tokens: 2, reasoning_tokens: 1, other_usage: otherUsageOf(usage) };
    expect(usageIn(row)).toEqual(usage);
    expect(row.other_usage === null).toBe(Object.keys(more).length === 0);
  }));
});

test('a request for text, and one of which nobody said what it used, have nothing else', () => {
  expect(otherUsageOf({ ...text, images: 0 })).toBeNull();
  expect(usageIn({ prompt_tokens: null, cached_tokens: null, cache_write_tokens: null, completion_tokens: null, reasoning_tokens: null, other_usage: null })).toBeNull();
});
