import { Judgements, pairKey } from './judgements.ts';

const partition = { tenant: 't', scope: 'tenant', fingerprint: 'f' };

test('the last word counts, and of too many pairs the oldest are forgotten', () => {
  const judgements = new Judgements(2);
  judgements.learn({ pair: 'a', same: true });
  judgements.learn({ pair: 'b', same: true });
  judgements.learn({ pair: 'a', same: false });
  judgements.learn({ pair: 'c', same: true });
  expect(['a', 'b', 'c'].map((pair) => judgements.about(pair))).toEqual([false, undefined, true]);
});

test('a pair is named by everything that makes it another pair, and not by how the question is typed', () => {
  const key = pairKey(partition, 'e', 'How tall is it?');
  expect(pairKey(partition, 'e', 'how tall  is it')).toBe(key);
  for (const other of [{ tenant: 'u' }, { scope: 'key:1' }, { fingerprint: 'g' }]) expect(pairKey({ ...partition, ...other }, 'e', 'How tall is it?')).not.toBe(key);
  expect(pairKey(partition, 'other', 'How tall is it?')).not.toBe(key);
  expect(pairKey(partition, 'e', 'How old is it?')).not.toBe(key);
});
