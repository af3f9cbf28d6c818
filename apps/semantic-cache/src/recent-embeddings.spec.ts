import { normaliseText } from '@deja/cache-key';
import type { Embedding } from '@deja/similarity';
import fc from 'fast-check';
import { RecentEmbeddings } from './recent-embeddings.ts';

const embedded = (text: string): Embedding => (text === '' ? { vector: null, outOfDepth: 'no_words' } : { vector: Float32Array.from(text, (char) => char.charCodeAt(0)), outOfDepth: null });

test('every text has the embedding of its normalised form, whatever was asked before', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('one', 'One', 'two?', 'two', 'three', '', '!', 'ONE'), { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (texts, most) => {
      const recent = new RecentEmbeddings({ embed: embedded }, most);
      for (const text of texts) expect(recent.embed(text)).toEqual(embedded(normaliseText(text)));
    }),
  );
});

test('of the last texts each is embedded once, and of those before nothing is kept', () => {
  const asked: string[] = [];
  const recent = new RecentEmbeddings({ embed: (text) => { asked.push(text); return embedded(text); } }, 2);
  for (const text of ['a', 'b', 'a', 'b', 'c', 'b', 'a']) recent.embed(text);
  expect(asked).toEqual(['a', 'b', 'c', 'a']);
});
