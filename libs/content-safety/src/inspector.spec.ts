import fc from 'fast-check';
import { mixedText, secrets } from '../test/mixed-text.ts';
import { POSITIVES } from '../test/samples.ts';
import { Inspector } from './inspector.ts';
import { safetyRules } from './safety-rules.ts';
import { safetySchema } from './safety-schema.ts';

const inspector = (file: unknown) => new Inspector(safetyRules(safetySchema.parse(file)).rules);
const redactAll = inspector({ secrets: 'redact', pii: 'redact', detectors: { assigned_secret: 'redact' }, deny: [{ name: 'falcon', pattern: '(?i)\\bproject falcon\\b', action: 'redact' }] });
const redactSome = inspector({ pii: 'redact', detectors: { jwt: 'redact' } });
const [card = ''] = POSITIVES.payment_card;
const [openai = ''] = POSITIVES.openai_key;

test('a text in which nothing is redacted is the same string, whatever was flagged in it', () => {
  const text = ['Write to ', 'ada@example.com'].join('');
  const flagged = inspector({ pii: 'flag' }).inspect(text, 'prompts');
  expect(flagged).toEqual({ text, findings: [{ rule: 'email', action: 'flag' }], blocked: null });
  expect(Object.is(flagged.text, text)).toBe(true);
});

test('a redacted text says which rule took what out, and nothing of it', () => {
  const { text, findings, blocked } = redactAll.inspect(`Pay ${card} with ${openai}, ${card}, for Project Falcon.`, 'prompts');
  expect(text).toBe('Pay [redacted:payment_card] with [redacted:openai_key], [redacted:payment_card], for [redacted:falcon].');
  expect(findings.map(({ rule }) => rule)).toEqual(['payment_card', 'openai_key', 'falcon']);
  expect(blocked).toBeNull();
});

test('a blocked text names the rule, and holds nothing of what blocked it', () => {
  const result = inspector({ secrets: 'block', pii: 'flag' }).inspect(`ada@example.com: ${openai}`, 'prompts');
  expect(result).toEqual({ text: 'ada@example.com: [redacted:openai_key]', findings: [{ rule: 'email', action: 'flag' }, { rule: 'openai_key', action: 'block' }], blocked: 'openai_key' });
});

test('a rule for prompts does nothing to answers, and the other way round', () => {
  const both = inspector({ secrets: 'block', pii: { answers: 'redact' }, deny: ['falcon', { pattern: 'eagle', on: 'answers' }] });
  const text = `falcon eagle ${openai} ada@example.com`;
  expect(both.inspect(text, 'prompts').findings.map(({ rule }) => rule)).toEqual(['deny[0]', 'openai_key']);
  expect(both.inspect(text, 'answers').findings.map(({ rule }) => rule)).toEqual(['deny[1]', 'email']);
});

test('matches that overlap or touch become one', () => {
  const file = { deny: [{ name: 'one', pattern: 'abc', action: 'redact' }, { name: 'two', pattern: 'cde', action: 'redact' }, { name: 'three', pattern: 'fg', action: 'redact' }, { name: 'word', pattern: 'd', action: 'redact' }] };
  expect(inspector(file).inspect('xabcdeyfgfgz', 'prompts').text).toBe('x[redacted:one]y[redacted:three]z');
});

test('an assigned value that is a known token is reported as that token only', () => {
  const flagging = inspector({ secrets: 'redact' });
  expect(flagging.inspect(`api_key = "${openai}"`, 'prompts').findings).toEqual([{ rule: 'openai_key', action: 'redact' }]);
});

test('nothing of a secret remains, wherever it stands between blanks', () => {
  fc.assert(fc.property(fc.constantFrom(...secrets), mixedText, mixedText, (secret, before, after) => {
    const { text } = redactAll.inspect(`${before} is ${secret} ${after}`, 'prompts');
    // Parts of the surroundings may hold it where it is none, as in `sk-8.8.8.8`.
    const around = redactAll.inspect(before, 'prompts').text + redactAll.inspect(after, 'prompts').text;
    expect(text.includes(secret) && !around.includes(secret)).toBe(false);
  }), { numRuns: 1000 });
});

test('redacting twice changes nothing', () => {
  fc.assert(fc.property(mixedText, fc.boolean(), (text, all) => {
    const rules = all ? redactAll : redactSome;
    const once = rules.inspect(text, 'prompts').text;
    expect(rules.inspect(once, 'prompts').text).toBe(once);
  }), { numRuns: 5000 });
});

test('a placeholder is never redacted itself, by no pattern', () => {
  const greedy = inspector({ pii: 'redact', deny: [{ name: 'r', pattern: '(?i)redacted|[a-z]{1,3}', action: 'redact' }, { name: 'b', pattern: '\\]|\\[', action: 'redact' }, { name: 'x', pattern: '(?s).{3}', action: 'redact' }] });
  fc.assert(fc.property(mixedText, (text) => {
    const once = greedy.inspect(text, 'prompts').text;
    expect(greedy.inspect(once, 'prompts').text).toBe(once);
  }));
});

test('text outside of matches is untouched: what is left stands in the text, in order', () => {
  fc.assert(fc.property(mixedText, (text) => {
    const clean = text.replaceAll('[redacted:', '');
    let at = 0;
    const parts = redactAll.inspect(clean, 'prompts').text.split(/\[redacted:[a-z_]+\]/);
    expect(clean.startsWith(parts[0]!)).toBe(true);
    expect(clean.endsWith(parts.at(-1)!)).toBe(true);
    for (const part of parts) {
      const found = clean.indexOf(part, at);
      expect(found).toBeGreaterThanOrEqual(at);
      at = found + part.length;
    }
  }), { numRuns: 1000 });
});

test('findings are each rule once, and depend on nothing but the text', () => {
  fc.assert(fc.property(mixedText, (text) => {
    const { findings } = redactAll.inspect(text, 'prompts');
    expect(new Set(findings.map(({ rule }) => rule)).size).toBe(findings.length);
    expect(redactAll.inspect(text, 'prompts').findings).toEqual(findings);
  }));
});
