import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AttemptFailure } from './failure.ts';
import { readWhole, ReplyBody } from './reply-body.ts';

/** The other side of a body: what it was told, and whether it may send. */
class Provider {
  readonly told: string[] = [];
  maySend = true;
  readonly body = new ReplyBody({
    pause: () => {
      this.told.push('pause');
      this.maySend = false;
    },
    resume: () => {
      this.told.push('resume');
      this.maySend = true;
    },
    closed: () => void this.told.push('closed'),
  });
}

const KIB = 1024;
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 40 }) }) }, { weight: 2, arbitrary: fc.constant('read' as const) }), { maxLength: 60 });

test('whatever comes is read in order and once, and the provider waits exactly while 64 KiB or more are not read', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      const provider = new Provider();
      const { body } = provider;
      const came: Buffer[] = [];
      const reads: Promise<IteratorResult<Uint8Array>>[] = [];
      for (const step of taken) {
        if (step !== 'read') {
          if (!provider.maySend) continue; // it waits
          const chunk = Buffer.alloc(step.push * KIB, came.length);
          came.push(chunk);
          body.push(chunk);
        } else if (reads.length < came.length + 1) reads.push(body.next()); // one reader, who waits for one piece at most
        const unread = came.slice(reads.length).reduce((sum, { length }) => sum + length, 0);
        expect(provider.maySend).toBe(unread < 64 * KIB);
      }
      body.end();
      const rest = await readWhole(body);
      const read = (await Promise.all(reads)).flatMap(({ value }) => (value === undefined ? [] : [Buffer.from(value)]));
      expect(Buffer.concat([...read, rest]).equals(Buffer.concat(came))).toBe(true);
      expect(provider.told.filter((what) => what === 'closed')).toHaveLength(1);
    }),
  );
});

test('a body that breaks off is a failure for whoever waits, and for whoever reads next, in place of what came before', async () => {
  const failure = new AttemptFailure('network');
  const waited = new Provider();
  const waiting = waited.body.next();
  waited.body.fail(failure);
  await expect(waiting).rejects.toBe(failure);

  const unread = new Provider();
  unread.body.push(Buffer.from('half'));
  unread.body.fail(failure);
  for (const _again of [1, 2]) await expect(unread.body.next()).rejects.toBe(failure); // it never looks complete
  expect([waited.told, unread.told]).toEqual([['closed'], ['closed']]);
});

test('who stops reading closes the body, and gets nothing more', async () => {
  const provider = new Provider();
  provider.body.push(Buffer.from('a'));
  provider.body.push(Buffer.from('b'));
  for await (const chunk of provider.body) {
    expect(Buffer.from(chunk).toString()).toBe('a');
    break;
  }
  provider.body.push(Buffer.from('c'));
  expect(await provider.body.next()).toEqual({ done: true, value: undefined });
  expect(provider.told).toEqual(['closed']);
});

test('whoever waits when the body is given up is told that it is over', async () => {
  const { body } = new Provider();
  const waiting = body.next();
  await body.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test('a whole reply is read to its end, and an absurdly long one is none', async () => {
  const pieces = async function* (count: number): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < count; n++) yield Buffer.alloc(1024 * KIB, n);
  };
  expect(await readWhole(pieces(3))).toHaveLength(3 * 1024 * KIB);
  await expect(readWhole(pieces(65))).rejects.toMatchObject({ kind: 'malformed' });
});
