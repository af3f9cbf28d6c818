import { createHash, randomBytes } from 'node:crypto';
import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ShortFrames, zstdFrame } from './zstd-frames.ts';

/** A frame as a context of its own makes it. */
const alone = (bytes: Buffer): Buffer => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 }, pledgedSrcSize: bytes.length });

const MOST_BYTES = 128 * 1024;
/** A chat, noise, or what repeats itself, up to the longest that is compressed here; by a few numbers, so that a counterexample can be read. */
const bodies = fc.record({ kind: fc.constantFrom('json', 'noise', 'repeated'), seed: fc.nat(), length: fc.oneof(fc.nat(4096), fc.nat(MOST_BYTES)) });
function bodyOf({ kind, seed, length }: { kind: string; seed: number; length: number }): Buffer {
  const noise = createHash('shake256', { outputLength: Math.max(1, kind === 'repeated' ? seed % 100 : length) }).update(String(seed)).digest();
  if (kind === 'noise') return noise.subarray(0, length);
  const part = kind === 'json' ? Buffer.from(JSON.stringify({ messages: [{ role: 'user', content: noise.toString('hex') }] })) : noise;
  return Buffer.alloc(length, part);
}

describe('frames that are made with one context', () => {
  test('open each by itself, whatever was compressed before them, and are no longer than with a context of their own', () => {
    const frames = new ShortFrames();
    fc.assert(
      fc.property(fc.array(bodies, { maxLength: 6 }), (several) => {
        for (const body of several.map(bodyOf)) {
          const frame = frames.frame(body);
          expect(zstdDecompressSync(frame).equals(body)).toBe(true);
          expect(frame.length).toBeLessThanOrEqual(alone(body).length * 1.01 + 8);
        }
      }),
      { numRuns: 150 },
    );
    for (const length of [0, 1, MOST_BYTES - 1, MOST_BYTES]) expect(zstdDecompressSync(frames.frame(bodyOf({ kind: 'noise', seed: 1, length })))).toHaveLength(length);
    expect(frames.isContextKept).toBe(true);
  });

  test('do not change when the next one is made', () => {
    const frames = new ShortFrames();
    const [one, other] = [Buffer.from('one text'), Buffer.from('another, which is longer')].map((text) => frames.frame(text));
    expect([one, other].map((frame) => zstdDecompressSync(frame!).toString())).toEqual(['one text', 'another, which is longer']);
  });

  test.each<[string, (stream: ReturnType<typeof createZstdCompress>) => void]>([
    ['has nothing of the kind inside', (stream) => Object.assign(stream, { _handle: undefined })],
    ['throws when it is called', (stream) => Object.assign(stream, { _handle: { writeSync: () => { throw new Error('not like this'); } } })],
    ['says nothing of what it did', (stream) => Object.assign(stream, { _handle: { writeSync: () => undefined }, _writeState: new Uint32Array(2) })],
    ['says that it did something, but did not', (stream) => Object.assign(stream, { _handle: { writeSync: () => undefined }, _writeState: Uint32Array.of(100, 0) })],
  ])('are made with contexts of their own where a stream %s', (_, change) => {
    const stream = createZstdCompress();
    change(stream);
    const frames = new ShortFrames(stream);
    const text = Buffer.from('{"messages":[{"role":"user","content":"What is the capital of France?"}]}');
    expect(frames.isContextKept).toBe(false);
    expect(zstdDecompressSync(frames.frame(text)).equals(text)).toBe(true);
  });

  test('are made with contexts of their own in a Node that is not known', () => {
    const frames = new ShortFrames(createZstdCompress(), '26.0.0');
    expect(frames.isContextKept).toBe(false);
    expect(zstdDecompressSync(frames.frame(Buffer.from('text'))).toString()).toBe('text');
  });

  test('a context that fails later is given up, and no text with it', () => {
    const stream = createZstdCompress();
    const frames = new ShortFrames(stream);
    expect(frames.isContextKept).toBe(true);
    stream.destroy();
    expect(zstdDecompressSync(frames.frame(Buffer.from('text'))).toString()).toBe('text');
    expect(frames.isContextKept).toBe(false);
  });
});

test('a long text is compressed in another thread, to a frame like any other', async () => {
  const text = Buffer.from(randomBytes(100_000).toString('hex'));
  const frame = zstdFrame(text);
  expect(frame).toHaveProperty('then');
  expect(zstdDecompressSync(await frame).equals(text)).toBe(true);
  expect(zstdFrame(Buffer.from('short'))).not.toHaveProperty('then');
});
