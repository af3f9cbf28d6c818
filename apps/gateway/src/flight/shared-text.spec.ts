import fc from 'fast-check';
import { SharedText } from './shared-text.ts';

const all = async (text: SharedText): Promise<string[]> => {
  const pieces: string[] = [];
  for await (const piece of text.read()) pieces.push(piece);
  return pieces;
};

async function* sourceOf(pieces: readonly string[], log: string[] = [], error?: Error): AsyncGenerator<string> {
  for (const piece of pieces) {
    log.push(piece);
    yield await Promise.resolve(piece);
  }
  if (error) throw error;
}

test('every reader gets all pieces in order, whenever it came and however the readers take turns', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string(), { maxLength: 20 }), fc.array(fc.nat(3), { maxLength: 80 }), async (pieces, turns) => {
      const text = new SharedText(sourceOf(pieces));
      const readers = [0, 1, 2, 3].map(() => ({ iterator: text.read(), got: [] as string[] }));
      for (const turn of turns) {
        const reader = readers[turn]!;
        const { done, value } = await reader.iterator.next();
        if (!done) reader.got.push(value);
      }
      for (const { iterator, got } of readers) {
        for await (const piece of iterator) got.push(piece);
        expect(got).toEqual(pieces);
      }
      expect(await all(text)).toEqual(pieces);
    }),
    { numRuns: 100 },
  );
});

test('the source is read only when somebody asks for more, and each piece once', async () => {
  const log: string[] = [];
  const text = new SharedText(sourceOf(['a', 'b', 'c'], log));
  const [fast, slow] = [text.read(), text.read()];
  await fast.next();
  expect(log).toEqual(['a']);
  await Promise.all([fast.next(), slow.next()]);
  expect(log).toEqual(['a', 'b']);
  expect(await all(text)).toEqual(['a', 'b', 'c']);
  await Promise.all([fast.next(), slow.next(), slow.next()]);
  expect(log).toEqual(['a', 'b', 'c']);
  expect(await text.outcome).toBe('ended');
});

test('an error reaches every reader behind the pieces that came before it', async () => {
  const text = new SharedText(sourceOf(['a'], [], new Error('broken')));
  for (let i = 0; i < 2; i++) {
    const reader = text.read();
    expect(await reader.next()).toEqual({ done: false, value: 'a' });
    await expect(reader.next()).rejects.toThrow('broken');
  }
  expect(await text.outcome).toBe('failed');
});

test('a reader that stops leaves the others their pieces', async () => {
  const text = new SharedText(sourceOf(['a', 'b']));
  for await (const _ of text.read()) break;
  expect(await all(text)).toEqual(['a', 'b']);
});
