import fc from 'fast-check';
import tokens from 'gpt-tokenizer/bpeRanks/o200k_base';
import packed from './o200k.prebuilt.ts';
import { NO_RANK, packedTokens, Vocabulary, type TokenList } from './vocabulary.ts';

/** The plain form: a Map by the token's bytes, one character for each. */
function mapOf(list: TokenList): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const [rank, token] of list.entries()) {
    if (token !== undefined) ranks.set(Buffer.from(token as string).toString('latin1'), rank);
  }
  return ranks;
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 6 });
const byBytes = (token: string | readonly number[] | undefined): string => (token === undefined ? '' : Buffer.from(token as string).toString('hex'));
const aToken = fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }).filter((text) => text.isWellFormed()), bytes.map((some) => [...some]));
const aList = fc.uniqueArray(aToken, { selector: byBytes, maxLength: 300 }).chain((list) => fc.array(fc.nat(list.length), { maxLength: 3 }).map((holes) => holes.reduce<TokenList>((all, at) => all.toSpliced(at, 0, undefined), list)));

test('bytes have the rank that a plain map gives them, wherever in a buffer they are', async () => {
  await fc.assert(fc.asyncProperty(aList, fc.array(bytes), async (list, others) => {
    const [vocabulary, ranks] = [await Vocabulary.read(packedTokens(list)), mapOf(list)];
    const all = [...[...ranks.keys()].map((key) => Buffer.from(key, 'latin1')), ...others];
    for (const some of all) {
      const around = Buffer.concat([Buffer.from('before'), some, Buffer.from('after')]);
      expect(vocabulary.rank(around, 6, 6 + some.length)).toBe(ranks.get(Buffer.from(some).toString('latin1')) ?? NO_RANK);
    }
  }));
});

test('each token of OpenAI’s vocabulary has its rank, and one byte more or less has another or none', async () => {
  const [vocabulary, ranks] = [await Vocabulary.read(packed), mapOf(tokens)];
  let wrong = 0;
  for (const [key, rank] of ranks) {
    const some = Buffer.from(`${key}x`, 'latin1');
    const [end, shorter, longer] = [key.length, ranks.get(key.slice(0, -1)) ?? NO_RANK, ranks.get(`${key}x`) ?? NO_RANK];
    if (vocabulary.rank(some, 0, end) !== rank || vocabulary.rank(some, 0, end + 1) !== longer || (end > 1 && vocabulary.rank(some, 0, end - 1) !== shorter)) wrong++;
  }
  expect([ranks.size > 199_000, wrong]).toEqual([true, 0]);
});

test('a vocabulary of nothing knows nothing', async () => {
  expect((await Vocabulary.read(packedTokens([]))).rank(Buffer.from('a'), 0, 1)).toBe(NO_RANK);
});

test('a token that is too long for its length to be a byte is refused, not cut', () => {
  expect(() => packedTokens(['a'.repeat(256)])).toThrow(RangeError);
});
