import fc from 'fast-check';
import { align } from './alignment.ts';
import { analyse } from './analyse.ts';
import type { Analysis, Token } from './analysis.ts';
import type { Lexicon } from './lexicon.ts';
import { readLexicon } from './read-lexicon.ts';

let lexicon: Lexicon;
beforeAll(async () => { lexicon = await readLexicon(new URL('../../../../models/lexicon/', import.meta.url)); });

const word = fc.constantFrom('colour', 'color', 'organise', 'organize', 'honour', 'honor', 'hour', 'analyse', 'analyze', 'paint', 'painting', 'flat', 'car', 'automobile', 'invoice', 'paris', 'to', 'in', 'for', 'the', '5', 'kg', 'our', 'promise');
const text = fc.array(word, { minLength: 1, maxLength: 12 }).map((words) => `how do I ${words.join(' ')}`);

/** Each with the first equal one that is free: those behind the same preposition, then the others. */
function equalsOf({ tokens: a }: Analysis, { tokens: b }: Analysis): number[] {
  const partners = a.map(() => -1);
  const areEqual = (x: Token, y: Token): boolean => (x.key === y.key || x.text === y.text) && x.kind === y.kind;
  for (const fits of [(x: Token, y: Token) => areEqual(x, y) && x.governor === y.governor, areEqual]) {
    for (const [i, x] of a.entries()) if (partners[i] === -1) partners[i] = b.findIndex((y, j) => !partners.includes(j) && fits(x, y));
  }
  return partners;
}

test('every word is paired with its first equal that is free, those behind the same preposition first', () => {
  fc.assert(
    fc.property(text, text, (first, second) => {
      const [a, b] = [analyse(first, lexicon), analyse(second, lexicon)];
      const { partners } = align(a, b, lexicon);
      const equals = equalsOf(a, b);
      expect(equals.map((equal, i) => (equal < 0 ? equal : partners[i]))).toEqual(equals);
    }),
    { numRuns: 1000 },
  );
});

test('every word has one partner at most, and is left over when it has none', () => {
  fc.assert(
    fc.property(text, text, (first, second) => {
      const [a, b] = [analyse(first, lexicon), analyse(second, lexicon)];
      const { partners, leftOfA, leftOfB } = align(a, b, lexicon);
      const paired = [...partners].filter((partner) => partner >= 0);
      expect(new Set(paired).size).toBe(paired.length);
      expect(leftOfA).toEqual(a.tokens.filter((_, i) => partners[i] === -1));
      expect(leftOfB).toEqual(b.tokens.filter((_, j) => !paired.includes(j)));
    }),
    { numRuns: 1000 },
  );
});

test.each([['colour', 'color'], ['organise', 'organize'], ['analysed', 'analyzed'], ['honourable', 'honorable'], ['realisation', 'realization']])('%s is the spelling of %s elsewhere, whichever comes first', (british, american) => {
  for (const [one, other] of [[british, american], [american, british]] as const) {
    const { leftOfA, leftOfB } = align(analyse(`how do I paint ${one}`, lexicon), analyse(`how do I paint ${other}`, lexicon), lexicon);
    expect([leftOfA, leftOfB]).toEqual([[], []]);
  }
});

test.each([['hour', 'hor'], ['flour', 'flower']])('%s is not the spelling of %s', (one, other) => {
  const { leftOfA, synonyms } = align(analyse(`how do I paint ${one}`, lexicon), analyse(`how do I paint ${other}`, lexicon), lexicon);
  expect({ leftOfA: leftOfA.map(({ text: left }) => left), synonyms }).toEqual({ leftOfA: [one], synonyms: [] });
});
