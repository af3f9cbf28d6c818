import fc from 'fast-check';
import { imageTokens } from './index.ts';
import { IMAGE_RULES } from './image-rules.ts';
import { mostTokens, tokensBy } from './image-tokens.ts';

// Examples of OpenAI's guide "Images and vision", section "Calculating costs".
test.each([
  ['gpt-4o', 1024, 1024, 'high', 765],
  ['gpt-4o', 2048, 4096, 'high', 1105],
  ['gpt-4o', 4096, 8192, 'low', 85],
  ['gpt-4.1-nano', 1024, 1024, 'high', Math.ceil(1024 * 2.46)],
  ['gpt-4.1-nano', 1800, 2400, 'high', Math.ceil(1452 * 2.46)],
  ['gpt-6-astra', 1024, 1024, 'high', 1229],
  ['gpt-6-astra', 2048, 2048, 'high', 3000],
  ['gpt-6-astra', 4096, 512, 'high', 2458],
])('the published example: %s, %d × %d, %s, is %d tokens', (model, width, height, detail, tokens) => {
  expect(imageTokens({ width, height, detail }, model)).toBe(tokens);
});

test.each([
  ['gpt-4o', 512, 512, 'auto', 255],
  ['gpt-4o', 513, 100, 'auto', 425],
  ['gpt-4o', 768, 2048, 'auto', 1445],
  ['gpt-4o-mini', 1024, 1024, 'low', 2833],
  ['gpt-4o-mini', 1024, 1024, 'high', 25_501],
  ['gpt-5.1', 1024, 1024, 'high', 630],
  ['o3', 512, 512, 'high', 225],
  ['gpt-5.4', 4096, 4096, 'low', 4916],
  ['gpt-5.4', 4096, 4096, 'auto', 3000],
  ['gpt-5.5', 2048, 2048, 'auto', 4916],
  ['gpt-5.6-sol', 1024, 512, 'low', 154],
  ['a-model-of-others', 1024, 1024, 'high', 765],
])('by the rules of its family: %s, %d × %d, %s, is %d tokens', (model, width, height, detail, tokens) => {
  expect(imageTokens({ width, height, detail }, model)).toBe(tokens);
});

test('an image of unknown size counts as 1024 × 1024', () => {
  for (const image of [{}, { width: 10 }, { width: 0, height: 5 }, { width: NaN, height: 5 }, { width: Infinity, height: 5 }]) expect(imageTokens(image, 'gpt-4o')).toBe(765);
});

test('no image of any size, at any detail, by any rule costs less than one token or more than the most', () => {
  const side = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100_000 }));
  fc.assert(fc.property(side, side, fc.constantFrom('low', 'high', 'original', 'auto', undefined), fc.constantFrom(...Object.values(IMAGE_RULES)), (width, height, detail, rule) => {
    const asked = detail === undefined ? {} : { detail };
    const tokens = tokensBy(rule, { width, height, ...asked });
    expect(tokens).toBeGreaterThanOrEqual(1);
    expect(tokens).toBeLessThanOrEqual(mostTokens(asked, rule));
    expect(tokens).toBeLessThanOrEqual(mostTokens({ width, height, ...asked }));
    expect(tokens).toBeLessThanOrEqual(mostTokens(asked));
  }), { numRuns: 2000 });
});

test('an image costs the same on its side', () => {
  const side = fc.integer({ min: 1, max: 5000 });
  fc.assert(fc.property(side, side, fc.constantFrom(...Object.values(IMAGE_RULES)), (width, height, rule) => {
    expect(tokensBy(rule, { width, height })).toBe(tokensBy(rule, { width: height, height: width }));
  }));
});
