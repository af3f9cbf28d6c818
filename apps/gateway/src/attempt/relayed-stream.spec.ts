import { DejaError } from '@deja/contracts';
import { expect, test } from '@jest/globals';
import type { Relayed, StreamReader } from './exchange.ts';
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

test.each(['at its beginning', 'after its first content'])('an error inside a stream, %s, does not repeat the credential that the stream was asked for with', async (when) => {
  const said = new AttemptFailure('caller', { providerError: { message: 'Bearer sk-upstream is over its limit', type: 'api_error', param: null, code: '' } });
  let events = 0;
  const push = (): Relayed => {
    if (when === 'at its beginning' || ++events > 1) throw said;
    return { text: 'data: {}\n\n', content: true };
  };
  const stream = new RelayedStream(bytes('data: {}\n\n', 'data: {}\n\n'), { ...reader(thrower(said)), push }, 'sk-upstream');
  const read = async (): Promise<void> => {
    for await (const _ of stream.all(await stream.start(() => undefined)));
  };
  await expect(read()).rejects.toMatchObject({ kind: 'caller', providerError: { message: 'Bearer [masked] is over its limit' } });
});
