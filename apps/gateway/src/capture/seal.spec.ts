import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cutText, MOST_TEXT_BYTES } from './captured-text.ts';
import { openBody, sealBody, type SealedFor } from './seal.ts';

const key = createSecretKey(Buffer.alloc(32, 7));
const about: SealedFor = { tenant: 'acme', operation: '01890000-0000-7000-8000-000000000000', part: 'request' };
const sealed = (text: string | Buffer): ReturnType<typeof sealBody> => sealBody(cutText(text, false), key, about);

describe('a sealed body', () => {
  test('opens to the very text, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'grapheme' }), fc.json()), async (text) => {
        const body = await sealed(text);
        expect(body).toMatchObject({ bytes: Buffer.byteLength(text), truncated: false });
        expect(await openBody(body, key, about)).toBe(text);
      }),
      { numRuns: 200 },
    );
    const long = JSON.stringify({ content: randomBytes(300_000).toString('hex') });
    expect(await openBody(await sealed(long), key, about)).toBe(long);
  });

  test('has a nonce of its own, however many are sealed', async () => {
    const bodies = await Promise.all(Array.from({ length: 1000 }, () => sealed('the same')));
    expect(new Set(bodies.map((body) => Buffer.from(body.sealed, 'base64').toString('hex', 1, 13))).size).toBe(1000);
  });

  test('does not open when any bit of it is changed, nor when it is cut', async () => {
    const body = await sealed('{"messages":[{"role":"user","content":"What is the capital of France?"}]}');
    const bytes = Buffer.from(body.sealed, 'base64');
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length * 8 - 1 }), async (bit) => {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await expect(openBody({ sealed: changed.toString('base64') }, key, about)).rejects.toThrow(/authenticate|format/);
      }),
    );
    for (const length of [0, 1, 13, 28, bytes.length - 1]) await expect(openBody({ sealed: bytes.subarray(0, length).toString('base64') }, key, about)).rejects.toThrow(/authenticate|format|too short/);
  });

  test.each<[string, Partial<SealedFor>]>([['tenant', { tenant: 'other' }], ['operation', { operation: '01890000-0000-7000-8000-000000000001' }], ['part', { part: 'response' }]])('does not open for another %s', async (_, other) => {
    await expect(openBody(await sealed('text'), key, { ...about, ...other })).rejects.toThrow('authenticate');
  });

  test('does not open with another key', async () => {
    await expect(openBody(await sealed('text'), createSecretKey(Buffer.alloc(32, 8)), about)).rejects.toThrow('authenticate');
  });

  test('says nothing of the text, and is never the same twice', async () => {
    const [one, two] = await Promise.all([sealed('What is the capital of France?'), sealed('What is the capital of France?')]);
    expect(one.sealed).not.toBe(two.sealed);
    expect(Buffer.from(one.sealed, 'base64').includes('capital')).toBe(false);
    expect(Buffer.from(one.sealed, 'base64')[0]).toBe(1);
  });
});

describe('a text that is too long', () => {
  test('is cut between two characters, and says how long it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('a', 'é', '猫', '😀'), { minLength: 1, maxLength: 40 }), fc.nat({ max: 80 }), async (chars, most) => {
        const text = chars.join('');
        const { bytes, length, truncated } = cutText(text, false, most);
        const kept = bytes.toString('utf8');
        expect(text.startsWith(kept)).toBe(true);
        expect(length).toBe(Buffer.byteLength(text));
        expect(truncated).toBe(length > most);
        expect(bytes.length).toBeGreaterThan(Math.min(length, most) - 4);
        expect(cutText(Buffer.from(text), false, most).bytes.equals(bytes)).toBe(true);
      }),
    );
    const body = await sealed('猫'.repeat(MOST_TEXT_BYTES));
    expect(body).toMatchObject({ bytes: 3 * MOST_TEXT_BYTES, truncated: true });
    expect(await openBody(body, key, about)).toBe('猫'.repeat(Math.floor(MOST_TEXT_BYTES / 3)));
  });
});
