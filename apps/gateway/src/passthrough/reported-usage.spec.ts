import { describe, expect, test } from '@jest/globals';
import { recordedText } from '@deja/testing';
import fc from 'fast-check';
import { lastUsageIn, ReportedUsage, type Medium } from './reported-usage.ts';

const counts = (promptTokens: number, completionTokens: number) => ({ promptTokens, cachedTokens: 0, cacheWriteTokens: 0, completionTokens, reasoningTokens: 0 });

describe('usage in a reply that streams by', () => {
  test('a recorded image reply tells its tokens', () => {
    const { usage } = JSON.parse(recordedText('openai/openai-image.json')) as { usage?: { input_tokens: number; output_tokens: number } };
    expect(lastUsageIn(recordedText('openai/openai-image.json'), 'images')).toEqual(usage ? { ...counts(usage.input_tokens, usage.output_tokens), imageOutputTokens: usage.output_tokens } : null);
  });

  test('a recorded transcription that is plain text tells none', () => expect(lastUsageIn(recordedText('groq/groq-transcription-text.json'))).toBeNull());

  test('the last one counts, be it of tokens or of seconds', () => {
    expect(lastUsageIn('{"usage":{"input_tokens":1,"output_tokens":2}} {"usage": {"type":"tokens","input_tokens":3,"output_tokens":4,"nested":{"a":"}"}}}')).toEqual(counts(3, 4));
    expect(lastUsageIn('{"usage":{"type":"duration","seconds":9.5}}')).toEqual({ ...counts(0, 0), audioSeconds: 9.5 });
    expect(lastUsageIn('{"usage":{"type":"duration","seconds":"long"}}')).toBeNull();
    expect(lastUsageIn('{"text":"\\"usage\\": {"}')).toBeNull();
  });

  test('absurd counts are not believed', () => expect(lastUsageIn('{"usage":{"input_tokens":-1}}')).toBeNull());

  test('however the bytes are cut, and whatever comes before', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 20 }), (padding, cuts) => {
        const bytes = Buffer.from(`{"data":"${'x'.repeat(padding)}","usage":{"input_tokens":5,"output_tokens":6}}`);
        const reported = new ReportedUsage({ medium: null, characters: null });
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

  test.each([
    ['images', { input_tokens: 50, output_tokens: 272, input_tokens_details: { text_tokens: 10, image_tokens: 40 } }, { ...counts(50, 272), imageInputTokens: 40, imageOutputTokens: 272 }],
    ['images', { input_tokens: 5, output_tokens: 30, output_tokens_details: { text_tokens: 10, image_tokens: 20 } }, { ...counts(5, 30), imageOutputTokens: 20 }],
    ['transcript', { type: 'tokens', input_tokens: 14, input_token_details: { text_tokens: 4, audio_tokens: 10 }, output_tokens: 45 }, { ...counts(14, 45), audioInputTokens: 10 }],
    ['transcript', { type: 'tokens', input_tokens: 14, output_tokens: 45 }, { ...counts(14, 45), audioInputTokens: 14 }],
    ['speech', { input_tokens: 14, output_tokens: 101 }, { ...counts(14, 101), audioOutputTokens: 101 }],
    [null, { input_tokens: 14, output_tokens: 101, input_tokens_details: { image_tokens: 99 } }, { ...counts(14, 101), imageInputTokens: 14 }],
  ] as const)('%s: %j', (medium, usage, expected) => expect(lastUsageIn(JSON.stringify({ usage }), medium)).toEqual(expected));
});

describe('a reply that reports no usage', () => {
  const used = (medium: Medium, body: string, characters: number | null = null) => {
    const reported = new ReportedUsage({ medium, characters });
    reported.add(Buffer.from(body));
    return { whole: reported.usage, soFar: reported.usageSoFar };
  };

  test('tells by its length how many pictures there are, however its bytes are cut', () => {
    const text = fc.string();
    const image = fc.oneof(fc.record({ b64_json: text, revised_prompt: text }), fc.record({ url: text }), fc.record({ url: text, b64_json: text }), fc.record({ url: fc.constant(null), b64_json: text }));
    fc.assert(fc.property(fc.array(image, { minLength: 1, maxLength: 5 }), fc.array(fc.integer({ min: 1, max: 30 })), fc.boolean(), (data, cuts, pretty) => {
      fc.pre(data.every((one) => 'url' in one) || data.every((one) => 'b64_json' in one));
      const bytes = Buffer.from(JSON.stringify({ created: 1, data: [...data, ...data] }, null, pretty ? 2 : 0));
      const reported = new ReportedUsage({ medium: 'images', characters: null });
      let from = 0;
      for (const size of [...cuts, bytes.length]) {
        reported.add(bytes.subarray(from, from + size));
        from = Math.min(bytes.length, from + size);
      }
      expect(reported.usage).toEqual({ ...counts(0, 0), images: 2 * data.length });
    }));
    expect(used('images', '{"error":{}}').whole).toBeNull();
  });

  test('of a recording has told how long it was, in some formats', () => {
    expect(used('transcript', '{"task":"transcribe","language":"english","duration":8.47,"text":"\\"duration\\": 99"}').whole).toEqual({ ...counts(0, 0), audioSeconds: 8.47 });
    expect(used('transcript', '{"text":"the duration"}').whole).toBeNull();
    expect(used('transcript', '1\n00:00 "duration": 5').whole).toBeNull();
  });

  test('is billed by the characters that were read aloud, also when it breaks off; pictures are known only at the end', () => {
    expect(used('speech', 'mp3', 12)).toEqual({ whole: { ...counts(0, 0), characters: 12 }, soFar: { ...counts(0, 0), characters: 12 } });
    expect(used('images', '{"data":[{"url":"x"}').soFar).toBeNull();
    expect(used(null, 'x', 12).whole).toBeNull();
  });
});
