import { describe, expect, test } from '@jest/globals';
import { recordedText } from '@deja/testing';
import fc from 'fast-check';
import { lastUsageIn, ReportedUsage } from './reported-usage.ts';

const counts = (promptTokens: number, completionTokens: number) => ({ promptTokens, cachedTokens: 0, cacheWriteTokens: 0, completionTokens, reasoningTokens: 0 });

describe('usage in a reply that streams by', () => {
  test('a recorded image reply tells its tokens', () => {
    const { usage } = JSON.parse(recordedText('openai/openai-image.json')) as { usage?: { input_tokens: number; output_tokens: number } };
    expect(lastUsageIn(recordedText('openai/openai-image.json'))).toEqual(usage ? counts(usage.input_tokens, usage.output_tokens) : null);
  });

  test('a recorded transcription that is plain text tells none', () => expect(lastUsageIn(recordedText('groq/groq-transcription-text.json'))).toBeNull());

  test('the last one counts, and one that counts seconds is none', () => {
    expect(lastUsageIn('{"usage":{"input_tokens":1,"output_tokens":2}} {"usage": {"type":"tokens","input_tokens":3,"output_tokens":4,"nested":{"a":"}"}}}')).toEqual(counts(3, 4));
    expect(lastUsageIn('{"usage":{"type":"duration","seconds":9}}')).toBeNull();
    expect(lastUsageIn('{"text":"\\"usage\\": {"}')).toBeNull();
  });

  test('absurd counts are not believed', () => expect(lastUsageIn('{"usage":{"input_tokens":-1}}')).toBeNull());

  test('however the bytes are cut, and whatever comes before', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 20 }), (padding, cuts) => {
        const bytes = Buffer.from(`{"data":"${'x'.repeat(padding)}","usage":{"input_tokens":5,"output_tokens":6}}`);
        const reported = new ReportedUsage();
        let from = 0;
        for (const size of [...cuts, bytes.length]) {
          reported.add(bytes.subarray(from, from + size));
          from = Math.min(bytes.length, from + size);
        }
        expect(reported.usage).toEqual(counts(5, 6));
        expect(reported.bytes).toBe(bytes.length);
      }),
    );
  });
});
