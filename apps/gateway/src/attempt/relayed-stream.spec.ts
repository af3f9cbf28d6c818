import { DejaError } from '@deja/contracts';
import { expect, test } from '@jest/globals';
import type { StreamReader } from './exchange.ts';
import { AttemptFailure } from './failure.ts';
import { RelayedStream } from './relayed-stream.ts';

async function* bytes(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

/** A reader that does this with every event. */
const reader = (push: () => never): StreamReader => ({ push, finish: push, ended: false, kept: () => null }) as unknown as StreamReader;

const thrower = (error: Error) => (): never => {
  throw error;
};

test.each(['data: {}\n\n', ''])('whatever the reading of a stream trips over is a malformed answer, and no fault of ours to the client: %j', async (piece) => {
  const stream = new RelayedStream(bytes(piece), reader(thrower(new TypeError('cannot read this'))));
  await expect(stream.start(() => undefined)).rejects.toMatchObject({ kind: 'malformed', cause: new TypeError('cannot read this') });
});

test.each([['a failed attempt', new AttemptFailure('rate')], ['a refusal', new DejaError('content_policy_violation', 'No.')]])('what has a name of its own keeps it: %s', async (_what, error) => {
  await expect(new RelayedStream(bytes('data: {}\n\n'), reader(thrower(error))).start(() => undefined)).rejects.toBe(error);
});
