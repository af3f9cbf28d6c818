import { describe, expect, test } from '@jest/globals';
import type { Usage } from '@deja/contracts';
import fc from 'fast-check';
import { serverOf } from './compatible-servers.ts';
import { openAiUsage, replyUsage } from './usage.ts';

const named = (server: string) => serverOf({ kind: 'openai', baseUrl: 'https://x.example', server });
const counts = (promptTokens: number, cachedTokens: number, cacheWriteTokens: number, completionTokens: number, reasoningTokens: number): Usage => ({
  promptTokens,
  cachedTokens,
  cacheWriteTokens,
  completionTokens,
  reasoningTokens,
});

describe('what a server says it used', () => {
  test.each([
    ['openai', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }, counts(10, 0, 0, 5, 0)],
    ['openai', { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 3 } }, counts(10, 4, 0, 5, 3)],
    ['openai', { prompt_tokens: 10, total_tokens: 10 }, counts(10, 0, 0, 0, 0)],
    ['generic', { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 2, cache_creation_tokens: 6 } }, counts(10, 2, 6, 5, 0)],
    ['openrouter', { prompt_tokens: 194, completion_tokens: 2, cost: 0.95, prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 100 } }, counts(194, 0, 100, 2, 0)],
    ['openrouter', { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 8, cache_write_tokens: 100 } }, counts(10, 8, 2, 2, 0)],
    ['deepseek', { prompt_tokens: 10, completion_tokens: 5, prompt_cache_hit_tokens: 7, prompt_cache_miss_tokens: 3 }, counts(10, 7, 0, 5, 0)],
    ['deepseek', { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 6 }, prompt_cache_hit_tokens: 7 }, counts(10, 6, 0, 5, 0)],
    ['together', { prompt_tokens: 10, completion_tokens: 5, cached_tokens: 4 }, counts(10, 4, 0, 5, 0)],
    ['xai', { prompt_tokens: 12, completion_tokens: 2, total_tokens: 334, completion_tokens_details: { reasoning_tokens: 320 } }, counts(12, 0, 0, 322, 320)],
    ['xai', { prompt_tokens: 12, completion_tokens: 322, total_tokens: 334, completion_tokens_details: { reasoning_tokens: 320 } }, counts(12, 0, 0, 322, 320)],
    ['openai', { prompt_tokens: 12, completion_tokens: 2, total_tokens: 334, completion_tokens_details: { reasoning_tokens: 320 } }, counts(12, 0, 0, 2, 2)],
    ['mistral', { prompt_tokens: 13, total_tokens: 21, completion_tokens: 8, prompt_audio_seconds: null }, counts(13, 0, 0, 8, 0)],
    ['openai', { prompt_tokens: 20, completion_tokens: 9, prompt_tokens_details: { audio_tokens: 12, image_tokens: 30 }, completion_tokens_details: { audio_tokens: 5 } }, { ...counts(20, 0, 0, 9, 0), audioInputTokens: 12, imageInputTokens: 8, audioOutputTokens: 5 }],
    ['openai', { prompt_tokens: 20, completion_tokens: 9, prompt_tokens_details: { audio_tokens: 0 } }, counts(20, 0, 0, 9, 0)],
    ['openai', null, null],
    ['openai', {}, null],
    ['openai', 'many', null],
    ['openai', { prompt_tokens: 10, completion_tokens: -5 }, null],
    ['openai', { prompt_tokens: 1e12, completion_tokens: 5 }, null],
  ])('%s: %j', (server, usage, expected) => {
    expect(openAiUsage(usage, named(server))).toEqual(expected);
  });

  test('Groq’s own place for it is read where the usual one is empty', () => {
    const groq = named('groq');
    expect(replyUsage({ x_groq: { id: 'r', usage: { prompt_tokens: 3, completion_tokens: 1 } } }, groq)).toEqual(counts(3, 0, 0, 1, 0));
    expect(replyUsage({ usage: { prompt_tokens: 4, completion_tokens: 2 }, x_groq: { usage: { prompt_tokens: 3 } } }, groq)).toEqual(counts(4, 0, 0, 2, 0));
    expect(replyUsage({ x_groq: 'x' }, groq)).toBeNull();
  });

  test('the tier that a reply was served at is part of it, where that has a price of its own', () => {
    const usage = { prompt_tokens: 4, completion_tokens: 2 };
    for (const tier of ['flex', 'priority']) expect(replyUsage({ usage, service_tier: tier }, named('openai'))).toEqual({ ...counts(4, 0, 0, 2, 0), serviceTier: tier });
    for (const tier of ['auto', 'default', 'on_demand', null, 7, undefined]) expect(replyUsage({ usage, service_tier: tier }, named('openai'))).toEqual(counts(4, 0, 0, 2, 0));
    expect(replyUsage({ service_tier: 'flex' }, named('openai'))).toBeNull();
  });

  test('nothing a server says makes a part larger than its whole, or a count that is none', () => {
    const names = fc.constantFrom('cached_tokens', 'cache_creation_tokens', 'cache_write_tokens', 'reasoning_tokens', 'audio_tokens', 'image_tokens');
    const parts = fc.oneof(fc.anything(), fc.dictionary(names, fc.oneof(fc.anything(), fc.double(), fc.nat())));
    const total = fc.oneof(fc.nat(), fc.double(), fc.anything());
    const usage = fc.record({ prompt_tokens: total, completion_tokens: total, total_tokens: total, prompt_tokens_details: parts, completion_tokens_details: parts }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.oneof(usage, fc.anything()), fc.constantFrom('openai', 'xai'), (said, server) => {
        const counted = openAiUsage(said, named(server)) ?? counts(0, 0, 0, 0, 0);
        expect(Object.values(counted).every((value) => Number.isSafeInteger(value) && value >= 0)).toBe(true);
        expect(counted.cachedTokens + counted.cacheWriteTokens).toBeLessThanOrEqual(counted.promptTokens);
        expect(counted.reasoningTokens).toBeLessThanOrEqual(counted.completionTokens);
        expect((counted.audioInputTokens ?? 0) + (counted.imageInputTokens ?? 0)).toBeLessThanOrEqual(counted.promptTokens);
        expect((counted.audioOutputTokens ?? 0) + (counted.imageOutputTokens ?? 0)).toBeLessThanOrEqual(counted.completionTokens);
      }),
    );
  });
});
