import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readModelFiles } from './model-files.ts';
import { StaticEmbedder } from './static-embedder.ts';

const folder = new URL('../../../../models/static-256/', import.meta.url);
const embedder = new StaticEmbedder(await readModelFiles(folder));

function cosine(a: string, b: string): number {
  const [x, y] = [embedder.embed(a).vector, embedder.embed(b).vector];
  if (x === null || y === null) throw new Error(`one of ${a} / ${b} has no vector`);
  return x.reduce((sum, value, j) => sum + value * y[j]!, 0);
}

test('a vector never changes', () => {
  const { vector } = embedder.embed('what is the capital of france');
  expect(vector).toHaveLength(256);
  expect(Array.from(vector!.slice(0, 6), (x) => x.toFixed(4))).toEqual(['-0.0015', '0.0185', '0.0417', '-0.0678', '-0.1199', '0.0377']);
  expect(embedder.name).toBe('static-256/1');
});

test('a vector has length 1', () => {
  expect(cosine('How do I turn on dark mode?', 'How do I turn on dark mode?')).toBeCloseTo(1, 5);
});

test('a paraphrase is nearer than another subject', () => {
  const near = cosine('how can I reset a forgotten password', 'what do I do to recover a lost password');
  const far = cosine('how can I reset a forgotten password', 'what is the boiling point of ethanol');
  expect(near).toBeGreaterThan(0.5);
  expect(far).toBeLessThan(0.3);
});

test.each([
  ['script', 'Как сбросить пароль моего аккаунта'],
  ['script', '如何重置我的密码'],
  ['script', 'كيف يمكنني إعادة تعيين كلمة المرور'],
  ['script', 'मैं अपना पासवर्ड कैसे रीसेट करूं'],
  ['unknown_words', 'try 🍕 🍔 🍟 now'],
  ['fragments', 'asdkjh qwlekj zmxncb poiqwe'],
  ['no_words', ''],
  ['no_words', ' \u200b '],
  ['too_long', 'word '.repeat(255)],
] as const)('the embedder is out of its depth (%s): %j', (reason, text) => {
  expect(embedder.embed(text)).toEqual({ vector: null, outOfDepth: reason });
});

test.each(['What is photosynthesis?', 'How tall is Mount Kilimanjaro?', 'Tell me about Dostoevsky and Solzhenitsyn', 'What is Schrödinger’s equation?', 'What is 30 % of 250?'])(
  'the embedder knows what %j says',
  (text) => {
    expect(embedder.embed(text).outOfDepth).toBeNull();
  },
);

test('a model file that is not the one in the manifest is refused by name', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'model-'));
  try {
    await cp(folder, copy, { recursive: true });
    await writeFile(join(copy, 'static-256.scale.f32'), Buffer.alloc(122_088));
    await expect(readModelFiles(pathToFileURL(`${copy}/`))).rejects.toThrow('static-256.scale.f32');
  } finally {
    await rm(copy, { recursive: true });
  }
});
