import { describe, expect, test } from '@jest/globals';
import { recordedText } from '@deja/testing';
import fc from 'fast-check';
import { asEmbeddings, base64Of, embeddingsReply, sharesOf } from './vectors.ts';

describe('embeddings', () => {
  test('shares of a call’s tokens add up to them exactly, are whole, and none is negative', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 50 }), (total, sizes) => {
        const shares = sharesOf(total, sizes);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
        expect(shares.every((share, i) => Number.isInteger(share) && Math.abs(share - (total * sizes[i]!) / sizes.reduce((a, b) => a + b, 0)) < 1)).toBe(true);
      }),
    );
  });

  test('nothing has no share', () => expect(sharesOf(10, [0, 0])).toEqual([0, 0]));

  test('a recorded reply is read as one vector for each input', () => {
    const body = Buffer.from(recordedText('openai/openai-embedding.json'));
    expect(asEmbeddings(body, 2).data.map(({ embedding }) => embedding.length)).toEqual([5, 5]);
  });

  test.each([
    ['a vector is missing', 'openai/openai-embedding.json', 3],
    ['it is another provider’s own shape', 'cohere/cohere-embedding.json', 2],
  ])('a reply is malformed when %s', (_why, name, count) => {
    expect(() => asEmbeddings(Buffer.from(recordedText(name)), count)).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  test('a reply with the same index twice is malformed: nobody knows whose vector is whose', () => {
    const body = Buffer.from(JSON.stringify({ data: [{ index: 0, embedding: [1] }, { index: 0, embedding: [2] }] }));
    expect(() => asEmbeddings(body, 2)).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  test('base64 is what a client decodes as 32-bit floats', () => {
    const vector = [0.5, -2, 1e-7];
    const bytes = Buffer.from(base64Of(vector), 'base64');
    expect([0, 4, 8].map((at) => bytes.readFloatLE(at))).toEqual(vector.map(Math.fround));
  });

  test('a reply put together keeps the order and adds the tokens up', () => {
    const reply = JSON.parse(embeddingsReply([{ embedding: [1], tokens: 3, model: 'm' }, { embedding: 'AAAA', tokens: 4, model: 'm' }]).toString()) as object;
    expect(reply).toEqual({ object: 'list', model: 'm', data: [{ object: 'embedding', index: 0, embedding: [1] }, { object: 'embedding', index: 1, embedding: 'AAAA' }], usage: { prompt_tokens: 7, total_tokens: 7 } });
  });
});
