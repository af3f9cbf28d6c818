import fc from 'fast-check';
import { countTokens as o200kWhole } from 'gpt-tokenizer/encoding/o200k_base';
import { countTokens as cl100kWhole } from 'gpt-tokenizer/encoding/cl100k_base';
import { countTokens, estimate, isWithin, tokenizerFor, upperBound, type Encoding, type PromptParts } from './index.ts';

const ENCODINGS = ['o200k_base', 'cl100k_base'] satisfies Encoding[];
const parts = (of: Partial<PromptParts>): PromptParts => ({ texts: [], messages: 0, images: [], tools: 0, ...of });
const count = (text: string, encoding: Encoding) => countTokens(parts({ texts: [text] }), encoding);
/** Another implementation of the same encodings, in one go. */
const oracle = { o200k_base: o200kWhole, cl100k_base: cl100kWhole };
const whole = (text: string, encoding: Encoding) => oracle[encoding](text, { disallowedSpecial: new Set() });

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string(), fc.stringMatching(/^[\s\w'.,]{0,40}$/));
const anyImage = fc.record(
  { width: fc.integer({ min: 0, max: 9000 }), height: fc.integer({ min: 0, max: 9000 }), detail: fc.constantFrom('low', 'high', 'original', 'auto', '?') },
  { requiredKeys: [] },
);
const anyParts = fc.record({
  texts: fc.array(anyText, { maxLength: 5 }), messages: fc.nat(20), images: fc.array(anyImage, { maxLength: 3 }), tools: fc.nat(5000), audioBytes: fc.nat(100_000), tokens: fc.nat(100),
});
/** About `chars` characters of prose. */
const prose = (chars: number, words = 'Tokens of a long answer, counted slice by slice; naïve sums would not do (or would they?) 2,048 times.\n') =>
  words.repeat(Math.ceil(chars / words.length));
/** How often others got a turn until the work was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let done = false;
  const tick = (): void => {
    turns += 1;
    if (!done) setImmediate(tick);
  };
  setImmediate(tick);
  await work();
  done = true;
  return turns;
}

// The counts are those of OpenAI's tiktoken 0.12.
test.each([
  ['', 0, 0],
  ['hello world', 2, 2],
  ['antidisestablishmentarianism', 6, 6],
  ['2 + 2 = 4', 7, 7],
  ['お誕生日おめでとう', 8, 9],
  ["The quick brown fox can't jump over 12345 lazy dogs.", 13, 14],
  ['  if (a === b) {\n\treturn `${a}`;\n  }\n\n', 14, 14],
  ['{"city":"Reykjavík","temperature_c":-3.5,"tags":["cold","windy"]}', 24, 23],
  ['Сколько токенов в этом предложении?', 10, 14],
  ['今天天气很好，我们去公园散步吧。', 12, 20],
  ['👩‍👩‍👧 family 🇮🇸 flag', 14, 21],
  ["don't DON'T we'll", 3, 6],
  ['   \n   \n  x', 4, 4],
  ['e\u0301 and \u00e9', 4, 4],
  ['\ud83d', 1, 1],
])('%j has as many tokens as OpenAI counts', async (text, o200k, cl100k) => {
  expect(await count(text, 'o200k_base')).toBe(o200k);
  expect(await count(text, 'cl100k_base')).toBe(cl100k);
});

test('what looks like a special token is text like any other', async () => {
  expect(await count('<|endoftext|> is only text here', 'o200k_base')).toBe(11);
});

test.each(ENCODINGS)('any text has in %s as many tokens as another implementation counts', async (encoding) => {
  await fc.assert(fc.asyncProperty(anyText.filter((text) => !text.includes('\ufeff')), async (text) => {
    expect(await count(text, encoding)).toBe(whole(text, encoding));
  }), { numRuns: 300 });
});

test.each(ENCODINGS)('a prompt never has more tokens in %s than its upper bound', async (encoding) => {
  await fc.assert(fc.asyncProperty(anyParts, async (prompt) => {
    expect(await countTokens(prompt, encoding)).toBeLessThanOrEqual(upperBound(prompt));
  }), { numRuns: 300 });
});

test('the bound of a text is its bytes', () => {
  expect(upperBound(parts({ texts: ['aé漢😀'] }))).toBe(1 + 2 + 3 + 4);
  expect(upperBound(parts({ texts: ['hello'], tokens: 3 }))).toBe(8);
});

test('a message costs four tokens besides its text, and the answer three', async () => {
  expect(await countTokens(parts({ texts: ['hello world'], messages: 1 }), 'o200k_base')).toBe(2 + 4 + 3);
  expect(await countTokens(parts({ texts: ['hello world', 'hello world'], messages: 2 }), 'o200k_base')).toBe(4 + 8 + 3);
});

test('images, tools, sound and tokens known already are part of the prompt', async () => {
  const prompt = parts({ images: [{ width: 1024, height: 1024 }], tools: 300, audioBytes: 8000, tokens: 7 });
  expect(await countTokens(prompt, 'o200k_base')).toBe(765 + 100 + 10 + 7);
  expect(await countTokens(prompt, tokenizerFor('gpt-5.1'))).toBe(630 + 100 + 10 + 7);
});

test('a tokenizer that only resembles the model’s counts more, by its factor', async () => {
  const text = prose(4000);
  const exact = await countTokens(parts({ texts: [text] }), tokenizerFor('gpt-4o'));
  expect(await countTokens(parts({ texts: [text] }), tokenizerFor('claude-sonnet-4-5'))).toBe(Math.ceil(exact * 1.35));
});

test.each(ENCODINGS)('prose counted in slices has in %s exactly as many tokens as in one go', async (encoding) => {
  await fc.assert(fc.asyncProperty(fc.array(fc.lorem({ mode: 'sentences', maxCount: 3 }), { minLength: 1 }), async (sentences) => {
    const text = prose(40_000, `${sentences.join('\n')} `);
    expect(await count(text, encoding)).toBe(whole(text, encoding));
  }), { numRuns: 10 });
});

test('text without spaces is over-counted by no more than two tokens a slice', async () => {
  const text = prose(40_000, '今天天气很好，我们去公园散步吧。');
  const exact = whole(text, 'o200k_base');
  const counted = await count(text, 'o200k_base');
  expect(counted).toBeGreaterThanOrEqual(exact);
  expect(counted).toBeLessThanOrEqual(exact + 2 * Math.ceil(text.length / 8192));
});

test.each(['a', 'é', '漢', '😀', ' ', '-', 'Z͑ͫ̓'])('a piece of %j without end is cut, at the cost of a token or two every 128 characters', async (unit) => {
  const text = prose(3000, unit);
  const exact = whole(text, 'o200k_base');
  const counted = await count(text, 'o200k_base');
  expect(Math.abs(counted - exact)).toBeLessThanOrEqual(2 * Math.ceil(text.length / 127));
});

test.each(ENCODINGS)('the verdict is the count’s in %s, wherever the limit is', async (encoding) => {
  await fc.assert(fc.asyncProperty(anyParts, fc.double({ min: 0, max: 2, noNaN: true }), async (prompt, share) => {
    const exact = await countTokens(prompt, encoding);
    const limit = Math.floor(exact * share);
    const { within, tokens } = await isWithin(prompt, limit, encoding);
    expect(within).toBe(exact <= limit);
    expect(tokens <= limit).toBe(within);
  }), { numRuns: 300 });
});

test('a prompt at its limit is within, one token over it is not', async () => {
  const prompt = parts({ texts: [prose(30_000)], messages: 1 });
  const exact = await countTokens(prompt, 'o200k_base');
  expect(await isWithin(prompt, exact, 'o200k_base')).toEqual({ within: true, tokens: exact });
  expect(await isWithin(prompt, exact - 1, 'o200k_base')).toEqual({ within: false, tokens: exact });
});

test('others get a turn at every slice of a long prompt, also of one made of many short texts', async () => {
  await count('load', 'o200k_base');
  const text = prose(400_000);
  const slices = Math.floor(text.length / 8192);
  expect(await turnsDuring(() => count(text, 'o200k_base'))).toBeGreaterThanOrEqual(slices);
  const lines = text.split('\n');
  expect(await turnsDuring(() => countTokens(parts({ texts: lines, messages: lines.length }), 'o200k_base'))).toBeGreaterThanOrEqual(slices - 2);
});

test('counting stops as soon as the limit is passed, and as soon as it cannot be passed any more', async () => {
  await count('load', 'o200k_base');
  const prompt = parts({ texts: [prose(1_000_000)] });
  const exact = await countTokens(prompt, 'o200k_base');
  expect(await turnsDuring(() => isWithin(prompt, 5000, 'o200k_base'))).toBeLessThan(10);
  expect(await turnsDuring(() => isWithin(prompt, 950_000, 'o200k_base'))).toBeLessThan(20);
  const over = await isWithin(prompt, 5000, 'o200k_base');
  expect(over.within).toBe(false);
  expect(Math.abs(over.tokens / exact - 1)).toBeLessThan(0.3);
});

test.each([
  ['English', prose(3000)],
  ['Russian', prose(3000, 'Сколько токенов в этом предложении, никто заранее не знает, но оценить их число можно. ')],
  ['Chinese', prose(3000, '今天天气很好，我们去公园散步吧。明天可能会下雨，所以请带上雨伞。')],
  ['Japanese', prose(3000, 'お誕生日おめでとうございます。今日は良い天気ですから、公園を散歩しましょう。')],
  ['code', prose(3000, '  if (a === b) {\n    return `${a}`;\n  }\n  const total = rows.map((row) => row.count).reduce(sum, 0);\n')],
  ['JSON', prose(3000, '{"city":"Reykjavík","temperature_c":-3.5,"tags":["cold","windy"]},\n')],
])('the estimate of %s is within 30 % of the count, whatever its length', async (_what, text) => {
  for (const prompt of [parts({ texts: [text.slice(0, 500)] }), parts({ texts: [text] }), parts({ texts: [text.repeat(20)] })]) {
    const exact = await countTokens(prompt, 'o200k_base');
    expect(Math.abs(estimate(prompt) / exact - 1)).toBeLessThan(0.3);
  }
});
