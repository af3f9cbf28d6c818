import fc from 'fast-check';
import { mixedText, secrets } from '../test/mixed-text.ts';
import { ORDINARY, POSITIVES, pem } from '../test/samples.ts';
import { AnswerGuard } from './answer-guard.ts';
import { Inspector } from './inspector.ts';
import { safetyRules } from './safety-rules.ts';
import { safetySchema } from './safety-schema.ts';

const both = (action: string) => ({ prompts: action, answers: action });
const inspector = (file: unknown) => new Inspector(safetyRules(safetySchema.parse(file)).rules);
const redactAll = inspector({ secrets: both('redact'), pii: both('redact'), detectors: { assigned_secret: both('redact') } });
const withPatterns = inspector({
  secrets: both('redact'),
  pii: both('flag'),
  deny: [{ name: 'falcon', pattern: '(?i)\\bproject\\s+falcon\\b', action: 'redact', on: 'both' }, { name: 'start', pattern: '^The', action: 'redact', on: 'both' }, { name: 'end', pattern: '\\w{1,5}\\.$', action: 'redact', on: 'both' }, { name: 'seen', pattern: 'order[^.]*shipped', action: 'flag', on: 'both' }],
});
const [openai = ''] = POSITIVES.openai_key;

/** Cuts a text into pieces of these lengths, over and over. */
function pieces(text: string, lengths: number[]): string[] {
  const parts: string[] = [];
  for (let at = 0, n = 0; at < text.length; n++) {
    const length = lengths[n % lengths.length]!;
    parts.push(text.slice(at, at + length));
    at += length;
  }
  return parts;
}

function stream(rules: Inspector, parts: string[]) {
  const guard = new AnswerGuard(rules);
  const results = [...parts.map((part) => guard.push(part)), guard.flush()];
  return { text: results.map(({ text }) => text).join(''), findings: results.flatMap(({ findings }) => findings), blocked: results.at(-1)!.blocked, results };
}

const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 600 })), { minLength: 1, maxLength: 8 });
const long = fc.array(mixedText, { maxLength: 12 }).map((parts) => parts.join(''));

test.each([['detectors', redactAll], ['patterns of the operator’s', withPatterns]])('however an answer is cut, what goes out is what the whole comes to (%s)', (_, rules) => {
  fc.assert(fc.property(fc.oneof(mixedText, long), cuts, (text, at) => {
    const whole = rules.inspect(text, 'answers');
    const streamed = stream(rules, pieces(text, at));
    expect(streamed.text).toBe(whole.text);
    expect(new Set(streamed.findings.map(({ rule }) => rule))).toEqual(new Set(whole.findings.map(({ rule }) => rule)));
    expect(streamed.findings).toHaveLength(whole.findings.length);
  }), { numRuns: 1500 });
});

test('no part of a secret goes out, at no time', () => {
  fc.assert(fc.property(fc.constantFrom(...secrets), mixedText, mixedText, cuts, (secret, before, after, at) => {
    const text = `${before} ${secret} ${after}`;
    const whole = redactAll.inspect(text, 'answers').text;
    let out = '';
    for (const { text: released } of stream(redactAll, pieces(text, at)).results) {
      out += released;
      expect(whole.startsWith(out)).toBe(true);
    }
  }), { numRuns: 500 });
});

test('ordinary text goes out sentence by sentence, and is never held for more than 700 characters', () => {
  const text = ORDINARY.join(' ').repeat(3);
  const guard = new AnswerGuard(redactAll);
  let out = 0;
  for (let at = 0; at < text.length; at += 3) {
    out += guard.push(text.slice(at, at + 3)).text.length;
    expect(at + 3 - out).toBeLessThan(700);
  }
  expect(new AnswerGuard(redactAll).push('It is done. And n').text).toBe('It is done. ');
  expect(new AnswerGuard(redactAll).push('これは文です。つぎ').text).toBe('これは文です。');
  expect(new AnswerGuard(redactAll).push('It is 3.').text).toBe('');
});

test('without rules for answers every piece goes out at once', () => {
  expect(new AnswerGuard(inspector({ secrets: 'block' })).push('half a sen').text).toBe('half a sen');
});

test('a forbidden answer stops where it becomes forbidden, and gives nothing out any more', () => {
  const blocking = inspector({ secrets: { answers: 'block' } });
  const { results, text, blocked, findings } = stream(blocking, ['All fine. ', 'The key is ', openai.slice(0, 10), `${openai.slice(10)}. `, 'And more. ', 'Bye.']);
  expect(text).toBe('All fine. ');
  expect(results.map((result) => result.blocked)).toEqual([null, null, null, ...Array(4).fill('openai_key')]);
  expect([blocked, findings]).toEqual(['openai_key', [{ rule: 'openai_key', action: 'block' }]]);
});

test('a private key of any size is redacted as one, and hardly any of it is held', () => {
  const key = pem('PRIVATE KEY', 2000);
  const text = `Here it is:\n${key}\nKeep it safe.`;
  for (const step of [5, 64, 1000, 50_000]) {
    const { text: out } = stream(redactAll, pieces(text, [step]));
    expect(out).toBe('Here it is:\n[redacted:private_key]\nKeep it safe.');
  }
});

test('a token of any size is redacted as one', () => {
  const token = `${openai}${'a1B2c3D4'.repeat(5000)}`;
  const { text: out } = stream(redactAll, pieces(`Take ${token}, please.`, [11]));
  expect(out).toBe('Take [redacted:openai_key], please.');
});

test('prose about private keys is not held until its end', () => {
  const guard = new AnswerGuard(redactAll);
  const text = 'The file begins with -----BEGIN PRIVATE KEY----- and then (in lines of 64 characters) goes on. It ends likewise. ';
  expect(guard.push(text).text).toBe(text);
});

test('text without any place to cut is still cut, and loses nothing', () => {
  const text = 'é'.repeat(30_000);
  const { text: out, results } = stream(redactAll, pieces(text, [10]));
  expect(out).toBe(text);
  expect(results.slice(0, -1).some(({ text: part }) => part !== '')).toBe(true);
});
