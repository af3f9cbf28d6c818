import { embeddingsCall, embeddingsReply } from './embeddings.ts';

const context = { upstreamModel: 'gemini-embedding-001', stream: false, maxOutputTokens: null, createdS: 0 };

test('every input becomes one request of the batch, with the model and the dimensions asked for', () => {
  const call = embeddingsCall({ model: 'e', input: ['a', 'b'], dimensions: 768, encoding_format: 'base64', user: 'u' }, ['a', 'b'], context);
  expect(call).toMatchObject({ path: '/v1beta/models/gemini-embedding-001:batchEmbedContents', dropped: ['user'] });
  const request = (text: string): object => ({ model: 'models/gemini-embedding-001', content: { parts: [{ text }] }, outputDimensionality: 768 });
  expect(JSON.parse(call.body)).toEqual({ requests: [request('a'), request('b')] });
});

test('the model may be named as Google names it, and without dimensions none are asked for', () => {
  const call = embeddingsCall({}, ['a'], { ...context, upstreamModel: 'models/gemini-embedding-001' }, 'v1');
  expect(call.path).toBe('/v1/models/gemini-embedding-001:batchEmbedContents');
  expect(JSON.parse(call.body)).toEqual({ requests: [{ model: 'models/gemini-embedding-001', content: { parts: [{ text: 'a' }] } }] });
});

test("vectors keep their order and have the length one, as OpenAI's have", () => {
  expect(embeddingsReply({ embeddings: [{ values: [3, 4] }, { values: [0, 0] }, { values: [-2] }] })).toEqual([[0.6, 0.8], [0, 0], [-1]]);
});

test.each([null, {}, { embeddings: 'x' }, { embeddings: [{}] }, { embeddings: [{ values: [] }] }, { embeddings: [{ values: ['1'] }] }])('%j is no reply', (reply) => {
  expect(() => embeddingsReply(reply)).toThrow(expect.objectContaining({ kind: 'malformed' }));
});
