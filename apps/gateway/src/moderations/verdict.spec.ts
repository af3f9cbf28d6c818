import { describe, expect, test } from '@jest/globals';
import { asModeration, asVerdicts, verdictOf } from './verdict.ts';

const result = (categories: Record<string, boolean>, scores: Record<string, number> = {}) => ({ flagged: Object.values(categories).some(Boolean), categories, category_scores: scores });

describe('what a moderation comes to', () => {
  test('without thresholds whatever the model flags blocks', () => {
    expect(verdictOf([result({ hate: false, violence: true })], {})).toEqual({ flagged: ['violence'], blocked: 'violence' });
    expect(verdictOf([result({ hate: false })], {})).toEqual({ flagged: [], blocked: null });
  });

  test('a category with a threshold blocks from that score on, whatever the model flags; any other one when it is flagged', () => {
    const results = [result({ violence: true, hate: false }, { violence: 0.7, hate: 0.3 })];
    expect(verdictOf(results, { violence: 0.8 })).toEqual({ flagged: ['violence'], blocked: null });
    expect(verdictOf(results, { violence: 0.8, hate: 0.3 })).toEqual({ flagged: ['violence', 'hate'], blocked: 'hate' });
    expect(verdictOf(results, { hate: 0.5 })).toEqual({ flagged: ['violence'], blocked: 'violence' });
  });

  test('any of several texts is enough', () => expect(verdictOf([result({ a: false }), result({ a: true })], {}).blocked).toBe('a'));

  test('what is no moderation is malformed', () => {
    for (const body of ['{}', '[]', 'null', '{"results":{}}', '{"results":[1]}', 'x']) expect(() => asModeration(Buffer.from(body))).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  test('a verdict that says less than one sound result for each text is none', () => {
    const good = { flagged: false, categories: { hate: false }, category_scores: { hate: 0.1 } };
    const body = (...results: unknown[]) => Buffer.from(JSON.stringify({ results }));
    expect(asVerdicts(body(good, good), 2)).toHaveLength(2);
    for (const bad of [body(), body(good), body(good, {}), body(good, { ...good, flagged: 'no' }), body(good, { ...good, category_scores: { hate: '0.99' } }), body(good, { ...good, categories: { hate: 'false' } })]) {
      expect(() => asVerdicts(bad, 2)).toThrow(expect.objectContaining({ kind: 'malformed' }));
    }
  });
});
