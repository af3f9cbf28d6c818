import { expect, test } from '@jest/globals';
import { VectorMemory, type Quantised } from '@deja/similarity';
import fc from 'fast-check';
import { KeptQuestions, type KeptQuestion } from './kept-questions.ts';

const memory = new VectorMemory(16);
const vectorOf = (n: number): Quantised => {
  const vector = memory.quantised(Float32Array.from({ length: 16 }, (_, j) => (j === n ? 1 : 0)));
  if (vector === null) throw new Error('no direction');
  return vector;
};
const worth = { tokens: null, costNanoUsd: null, durationMs: null };

test('a question is found as long as some cache has it, and the same words have one place in each cache', () => {
  const step = fc.record({ text: fc.integer({ min: 0, max: 9 }), caches: fc.integer({ min: 1, max: 7 }), drop: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const kept = new KeptQuestions(memory);
    const alive = new Set<KeptQuestion>();
    for (const [line, { text, caches, drop }] of steps.entries()) {
      if (drop) for (const question of alive) if (question.text === String(text)) kept.drop(question, caches);
      if (!drop) alive.add(kept.add({ text: String(text), line, worth, caches }, vectorOf(text)));
      for (const question of alive) if (question.caches === 0) alive.delete(question);
      const found: KeptQuestion[] = [];
      kept.search(vectorOf(text), 0.9, (question) => {
        found.push(question);
        return 0.9;
      });
      expect(new Set(found)).toEqual(new Set([...alive].filter((question) => question.text === String(text))));
      expect(kept.size).toBe(alive.size);
      for (const bit of [1, 2, 4]) expect(found.filter((question) => (question.caches & bit) !== 0).length).toBeLessThanOrEqual(1);
    }
  }));
});
