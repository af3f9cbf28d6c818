import { readModelFiles, StaticEmbedder } from '@deja/similarity';
import { sameAnswer } from './compared-answers.ts';

let embedder: StaticEmbedder;
beforeAll(async () => {
  embedder = new StaticEmbedder(await readModelFiles(new URL('../../../../models/static-256/', import.meta.url)));
});

test('two ways to give one answer are the same', () => {
  const kept = 'To turn on dark mode, open Settings, choose Display and switch Dark mode on.';
  expect(sameAnswer(embedder, kept, 'Open Settings, then choose Display, and switch on Dark mode.')).toBe(true);
  expect(sameAnswer(embedder, kept.repeat(40), kept.repeat(39))).toBe(true);
});

test('answers about other things are different', () => {
  expect(sameAnswer(embedder, 'The capital of France is Paris, a city on the Seine.', 'Water boils at a hundred degrees at sea level.')).toBe(false);
});

test('where another number is given, or nothing can be compared, nobody can tell', () => {
  expect(sameAnswer(embedder, 'Refunds take 5 days to arrive on your card.', 'Refunds take 10 days to arrive on your card.')).toBeNull();
  expect(sameAnswer(embedder, '', 'Refunds take 10 days.')).toBeNull();
  expect(sameAnswer(embedder, 'Возврат занимает десять дней', 'Refunds take ten days.')).toBeNull();
});
