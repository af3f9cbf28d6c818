import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KnownQuestions, type Decided, type DecidedBy } from './known-questions.ts';

const decidedBy = fc.record<DecidedBy>({
  tenant: fc.constantFrom('a', 'b'),
  scope: fc.constantFrom('tenant', 'key:k', 'user:u'),
  endpoint: fc.constantFrom('chat/completions', 'responses'),
  model: fc.constantFrom('m', 'n'),
  flagged: fc.boolean(),
  body: fc.record({ text: fc.constantFrom('{}', '{"a":1}', '{"a":1} ') }),
});
const decision = (by: DecidedBy): Decided => ({ allowed: { exact: true, semantic: !by.flagged, reason: null }, keys: { exact: JSON.stringify(by), fingerprint: null } });

describe('what is known of a question', () => {
  test('is what would be decided anew, however many are known', () => {
    fc.assert(fc.property(fc.integer({ min: 2, max: 8 }), fc.array(decidedBy, { maxLength: 60 }), (most, asked) => {
      const known = new KnownQuestions(most);
      for (const by of asked) expect(known.of(by, () => decision(by))).toEqual(decision(by));
    }));
  });

  test('is not decided again while it is asked for', () => {
    const known = new KnownQuestions(4);
    let decisions = 0;
    const ask = (text: string): Decided => known.of({ tenant: 't', scope: 's', endpoint: 'e', model: 'm', flagged: false, body: { text } }, () => {
      decisions++;
      return { allowed: { exact: true, semantic: true, reason: null }, keys: { exact: text, fingerprint: null } };
    });
    for (let i = 0; i < 100; i++) {
      ask('often');
      ask(`once ${i}`);
    }
    expect(decisions).toBe(101);
  });

  test('is nothing of a text that is long', () => {
    const known = new KnownQuestions();
    const by: DecidedBy = { tenant: 't', scope: 's', endpoint: 'e', model: 'm', flagged: false, body: { text: 'x'.repeat(64 * 1024 + 1) } };
    expect(known.of(by, () => decision(by))).not.toBe(known.of(by, () => decision(by)));
  });
});
