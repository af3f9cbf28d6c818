import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { covers, includes, InvalidationSet, type CachedAnswer, type Invalidation } from './invalidation.ts';

const everything: Invalidation = { id: 'r', tenant: null, model: null, tag: null, entry: null, beforeMs: 100, madeAtMs: 100 };
const answer: CachedAnswer = { tenant: 'acme', entry: 'e1', createdAtMs: 100, model: 'gpt-4o', asked: 'auto', tags: { team: 'a', feature: 'x=y' } };

// Few values, so that they meet often.
const condition = (...values: string[]): fc.Arbitrary<string | null> => fc.constantFrom(null, ...values);
const rules: fc.Arbitrary<Invalidation> = fc.record({ id: fc.uuid(), tenant: condition('a', 'b'), model: condition('m', 'n'), tag: condition('k=v', 'k=w', 'l=v'), entry: condition('1', '2'), beforeMs: fc.integer({ min: 0, max: 5 }), madeAtMs: fc.constant(0) });
const answers: fc.Arbitrary<CachedAnswer> = fc.record(
  { tenant: fc.constantFrom('a', 'b'), entry: fc.constantFrom('1', '2'), createdAtMs: fc.integer({ min: 0, max: 6 }), model: fc.constantFrom('m', 'n'), asked: fc.constantFrom('m', 'n'), tags: fc.dictionary(fc.constantFrom('k', 'l'), fc.constantFrom('v', 'w'), { noNullPrototype: true }) },
  { requiredKeys: ['tenant', 'entry', 'createdAtMs', 'model'] },
);

describe('an invalidation', () => {
  test.each([
    ['without conditions, every answer of its time', {}, true],
    ['none that was made later', { beforeMs: 99 }, false],
    ["its tenant's", { tenant: 'acme' }, true],
    ["not another tenant's", { tenant: 'other' }, false],
    ['the model that answered', { model: 'gpt-4o' }, true],
    ['the model that was asked for', { model: 'auto' }, true],
    ['no other model', { model: 'gpt-4o-mini' }, false],
    ['a tag', { tag: 'team=a' }, true],
    ['a tag whose value has "=" in it', { tag: 'feature=x=y' }, true],
    ['not a tag of another value', { tag: 'team=b' }, false],
    ['not what every object has', { tag: 'constructor=a' }, false],
    ['an answer by its id', { entry: 'e1' }, true],
    ['not when one of several conditions is not met', { tenant: 'acme', model: 'gpt-4o', tag: 'team=b' }, false],
  ])('covers %s', (_, conditions, expected) => {
    expect(covers({ ...everything, ...conditions }, answer)).toBe(expected);
  });

  test('covers an answer exactly when it would with each of its conditions alone', () => {
    fc.assert(fc.property(rules, answers, (rule, one) => {
      const alone = (['tenant', 'model', 'tag', 'entry'] as const).map((member) => covers({ ...everything, beforeMs: rule.beforeMs, [member]: rule[member] }, one));
      expect(covers(rule, one)).toBe(alone.every(Boolean));
    }));
  });

  test('that covers an answer covers every earlier one of the same kind, and a later moment covers no less', () => {
    fc.assert(fc.property(rules, answers, fc.integer({ min: 0, max: 6 }), (rule, one, ms) => {
      fc.pre(covers(rule, one));
      expect(covers(rule, { ...one, createdAtMs: one.createdAtMs - ms })).toBe(true);
      expect(covers({ ...rule, beforeMs: rule.beforeMs + ms }, one)).toBe(true);
    }));
  });

  test('that includes another covers all that the other covers', () => {
    fc.assert(fc.property(rules, rules, answers, (wider, narrower, one) => {
      expect(includes(wider, narrower) && covers(narrower, one) && !covers(wider, one)).toBe(false);
    }), { numRuns: 20_000 });
  });

  test('includes itself, and what comes from it by one more condition, which does not include it', () => {
    fc.assert(fc.property(rules, fc.constantFrom('tenant', 'model', 'tag', 'entry'), (rule, member) => {
      const wider = { ...rule, [member]: null };
      const narrower = { ...rule, [member]: 'x=y' };
      expect([includes(rule, rule), includes(wider, narrower), includes(narrower, wider)]).toEqual([true, true, false]);
    }));
  });
});

describe('a set of invalidations', () => {
  test('covers an answer exactly when one of them does', () => {
    fc.assert(fc.property(fc.array(rules), answers, (all, one) => {
      expect(new InvalidationSet(all).covers(one)).toBe(all.some((rule) => covers(rule, one)));
    }));
  });

  test('covers the same without those that another includes', () => {
    fc.assert(fc.property(fc.array(rules), rules, answers, (all, added, one) => {
      const whole = new InvalidationSet([...all, added]);
      expect(new InvalidationSet([...all.filter((rule) => !includes(added, rule)), added]).covers(one)).toBe(whole.covers(one));
    }));
  });
});
