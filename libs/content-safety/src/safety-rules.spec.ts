import { DETECTOR_NAMES, DETECTORS } from './action.ts';
import { Inspector } from './inspector.ts';
import { noSafetyRules, rulesDigest, safetyRules } from './safety-rules.ts';
import { safetySchema } from './safety-schema.ts';

const compile = (file: unknown) => safetyRules(safetySchema.parse(file));
const rulesOf = (file: unknown) => {
  const { rules, problems } = compile(file);
  expect(problems).toEqual([]);
  return rules;
};
const namesOf = (group: string) => DETECTOR_NAMES.filter((name) => DETECTORS[name].group === group);

test('an empty file gives rules that do nothing', () => {
  expect(rulesOf({})).toEqual(noSafetyRules());
  expect(new Inspector(noSafetyRules()).active('prompts')).toBe(false);
});

test('a pattern alone blocks prompts and is named after its place', () => {
  expect(rulesOf({ deny: ['a+', { name: 'falcon', pattern: 'Falcon', action: 'flag', on: 'both' }] }).deny).toEqual([
    { name: 'deny[0]', pattern: 'a+', action: 'block', on: ['prompts'] },
    { name: 'falcon', pattern: 'Falcon', action: 'flag', on: ['prompts', 'answers'] },
  ]);
});

test('one action for a group is for prompts; guesses only flag; a detector of its own name goes before its group', () => {
  const rules = rulesOf({ secrets: 'block', pii: { prompts: 'redact', answers: 'flag' }, detectors: { email: 'off', assigned_secret: { answers: 'redact' }, jwt: { prompts: 'flag', answers: 'flag' } } });
  for (const name of namesOf('secrets').filter((name) => name !== 'assigned_secret' && name !== 'jwt')) expect([rules.prompts[name], rules.answers[name]]).toEqual(['block', 'off']);
  expect([rules.prompts.assigned_secret, rules.answers.assigned_secret]).toEqual(['off', 'redact']);
  expect([rules.prompts.jwt, rules.answers.jwt]).toEqual(['flag', 'flag']);
  expect([rules.prompts.email, rules.answers.email]).toEqual(['off', 'off']);
  expect([rules.prompts.phone, rules.answers.phone]).toEqual(['redact', 'flag']);
  expect(rulesOf({ secrets: 'redact' }).prompts.assigned_secret).toBe('flag');
});

test('moderation has the documented defaults', () => {
  expect(rulesOf({ moderation: { model: 'omni-moderation-latest' } }).moderation).toEqual({ model: 'omni-moderation-latest', on_error: 'open', timeout_ms: 800, thresholds: {}, answers: false });
});

test.each([
  [{ deny: ['(?<=a)b'] }, ['deny', 0], 'RE2 has no look-around'],
  [{ deny: ['(a{1,100}){1,100}'] }, ['deny', 0], 'RE2 repeats at most 1000 times'],
  [{ deny: [{ pattern: 'a(' }] }, ['deny', 0, 'pattern'], 'not an RE2 pattern'],
  [{ deny: ['a*'] }, ['deny', 0], 'matches the empty text'],
  [{ deny: [{ pattern: 'secret .*', action: 'redact' }] }, ['deny', 0, 'pattern'], 'can match more than 1000 characters'],
  [{ deny: [{ pattern: 'a', name: 'email' }] }, ['deny', 0, 'name'], 'names must differ'],
  [{ deny: [{ pattern: 'a', name: 'x' }, { pattern: 'b', name: 'x' }] }, ['deny', 1, 'name'], 'names must differ'],
])('%j is reported at its place, and left out', (file, path, message) => {
  const { rules, problems } = compile(file);
  expect(problems).toEqual([{ path, message: expect.stringContaining(message) }]);
  expect(rules.deny).toHaveLength(file.deny.length - 1);
});

test('what is said of a long pattern is short', () => {
  const { problems } = compile({ deny: ['('.repeat(5000)] });
  expect(problems.map(({ message }) => message)).toEqual([expect.stringMatching(/^not an RE2 pattern .{100,250}$/)]);
});

test('a pattern too large to be held against every character is refused by its name, and what comes after too much of it is not compiled', () => {
  const large = { name: 'absurd', pattern: '(abc?|d){1,1000}'.repeat(8) };
  const huge = `(${'[a-z]?'.repeat(200)}){1000}`;
  const { rules, problems } = compile({ deny: [large, huge, 'fine'] });
  expect(problems.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^the pattern of "absurd" comes to \d+ instructions, of which a pattern may have 25000: repeat less/),
    expect.stringContaining('"deny[1]"'),
    expect.stringContaining('patterns before it come to more than 250000 instructions together'),
  ]);
  expect(rules.deny).toEqual([]);
  const words = Array.from({ length: 1500 }, (_, n) => `word${n}x`).join('|');
  expect(compile({ deny: [`(?i)\\b(?:${words})\\b`, '\\w{1,1000}@'] }).problems).toEqual([]);
});

test.each(['\\w{1,50}', '[^\\n]{0,400}x', '(?i)project (falcon|eagle)', '(a|b){1,50}c', 'x'])('%s is of bounded length, and may redact', (pattern) => {
  expect(compile({ deny: [{ pattern, action: 'redact' }] }).problems).toEqual([]);
});

test.each([
  [{ secrets: 'blok' }, 'write block, redact, flag or off'],
  [{ pii: { answer: 'block' } }, 'Unrecognized key'],
  [{ pii: { answers: 'blok' } }, 'answers'],
  [{ pii: 7 }, 'write block, redact, flag or off'],
  [{ detectors: { e_mail: 'flag' } }, 'e_mail'],
  [{ deny: [{ patern: 'x' }] }, 'patern'],
  [{ deny: [7] }, 'write a pattern, or'],
  [{ moderation: {} }, 'model'],
  [{ moderation: { model: 'm', thresholds: { violence: 2 } } }, 'thresholds'],
])('%j is refused', (file, message) => {
  expect(JSON.stringify(safetySchema.safeParse(file).error?.issues)).toContain(message);
});

test('rules travel as JSON', () => {
  const rules = rulesOf({ deny: ['x', { pattern: 'y', on: 'answers' }], secrets: 'redact', moderation: { model: 'm', thresholds: { hate: 0.5 } } });
  expect(JSON.parse(JSON.stringify(rules))).toEqual(rules);
});

test('the digest changes with what decides what an answer may hold, and with nothing else', () => {
  const digest = (file: unknown) => rulesDigest(rulesOf(file));
  const none = digest({});
  expect(none).toMatch(/^[0-9a-f]{16}$/);
  for (const file of [{ deny: ['x'] }, { secrets: 'block' }, { moderation: { model: 'm' } }]) expect(digest(file)).toBe(none);
  const changing = [{ deny: [{ pattern: 'x', on: 'answers' }] }, { deny: [{ pattern: 'x', on: 'both', action: 'flag' }] }, { pii: { answers: 'flag' } }, { pii: { answers: 'redact' } }, { moderation: { model: 'm', answers: true } }];
  expect(new Set([none, ...changing.map(digest)]).size).toBe(changing.length + 1);
  const moderated = (more: object) => digest({ moderation: { model: 'm', answers: true, ...more } });
  expect(moderated({ timeout_ms: 5, on_error: 'closed' })).toBe(moderated({}));
  expect(moderated({ thresholds: { a: 1, b: 0 } })).toBe(moderated({ thresholds: { b: 0, a: 1 } }));
  expect(moderated({ thresholds: { a: 1 } })).not.toBe(moderated({}));
});
