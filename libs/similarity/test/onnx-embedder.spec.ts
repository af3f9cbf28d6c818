import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OnnxEmbedder } from '../src/neural/onnx-embedder.ts';
import { readSentenceTransformer } from '../src/neural/sentence-transformer.ts';
import { describeWithRuntime, REQUIREMENT } from './runtime.ts';

const TINY = fileURLToPath(new URL('./models/transformer/', import.meta.url));
const logger = { warn: (): void => undefined };
/** By the recipe of the tiny model: the row of a piece. */
const row = (id: number): number[] => [1, id, id * id];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transformer-'));
  await cp(TINY, folder, { recursive: true });
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function withEmbedder(body: (embedder: OnnxEmbedder) => Promise<void>): Promise<void> {
  const embedder = await OnnxEmbedder.open({ folder, logger, deadlineMs: 25_000 });
  try {
    await body(embedder);
  } finally {
    await embedder.close();
  }
}

async function vectorOf(embedder: OnnxEmbedder, text: string): Promise<number[]> {
  return Array.from((await embedder.embed(text)).vector ?? []);
}

function expectDirection(vector: number[], rows: number[][], pool: (values: number[]) => number): void {
  const expected = [0, 1, 2].map((j) => pool(rows.map((values) => values[j]!)));
  const length = Math.hypot(...expected);
  expect(vector).toHaveLength(3);
  for (const [j, x] of expected.entries()) expect(vector[j]).toBeCloseTo(x / length, 5);
}

const mean = (values: number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const put = (name: string, content: unknown): Promise<void> => writeFile(join(folder, name), JSON.stringify(content));

describeWithRuntime(`a sentence-transformer, ${REQUIREMENT}`, () => {
  // [CLS] 2, [SEP] 3, turn 4, dark 5, light 11, ##s 12.
  test('a text is the mean of the vectors of its tokens, [CLS] and [SEP] included, of length 1', () =>
    withEmbedder(async (embedder) => {
      expectDirection(await vectorOf(embedder, 'Turn lights'), [2, 4, 11, 12, 3].map(row), mean);
      expect(embedder.dimensions).toBe(3);
    }));

  test('where the folder says so, the vector of [CLS] is taken', async () => {
    await mkdir(join(folder, '1_Pooling'));
    await put('1_Pooling/config.json', { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false });
    await withEmbedder(async (embedder) => expectDirection(await vectorOf(embedder, 'turn'), [row(2)], mean));
  });

  test('a vector that the model pooled itself is taken as it is', async () => {
    await rename(join(folder, 'pooled.onnx'), join(folder, 'model.onnx'));
    await withEmbedder(async (embedder) => expectDirection(await vectorOf(embedder, 'turn dark'), [2, 4, 5, 3].map(row), (values) => Math.max(...values)));
  });

  test('the name is that of the model file: another model, another index', async () => {
    const names: string[] = [];
    await withEmbedder(async ({ name }) => void names.push(name));
    await mkdir(join(folder, 'onnx'));
    await rename(join(folder, 'model.onnx'), join(folder, 'onnx', 'model.onnx'));
    await withEmbedder(async ({ name }) => void names.push(name));
    await writeFile(join(folder, 'onnx', 'model.onnx_data'), 'other weights');
    await withEmbedder(async ({ name }) => void names.push(name));
    expect(names[0]).toMatch(/^onnx-[0-9a-f]{12}\/1$/);
    expect(names[1]).toBe(names[0]);
    expect(names[2]).not.toBe(names[0]);
  });

  test('a text that the model would not see in full has no vector', () =>
    withEmbedder(async (embedder) => {
      expect((await embedder.embed('turn on the dark mode ?')).outOfDepth).toBeNull();
      expect(await embedder.embed('turn on the dark mode ? ?')).toEqual({ vector: null, outOfDepth: 'too_long' });
    }));

  test.each(['', ' ', '🍕 🍔'])('%j has no words', (text) =>
    withEmbedder(async (embedder) => expect(await embedder.embed(text)).toEqual({ vector: null, outOfDepth: 'no_words' })));

  test('an embedder that is closed fails, so that a look-up misses', async () => {
    await withEmbedder(async (embedder) => {
      await embedder.close();
      await expect(embedder.embed('turn')).rejects.toThrow('broke down');
    });
  });

  test('a file that is no model is an error that names it', async () => {
    await writeFile(join(folder, 'model.onnx'), 'no model');
    await expect(OnnxEmbedder.open({ folder, logger })).rejects.toThrow(/model\.onnx is not a model that onnxruntime can run/);
  });

  test('a model of another kind is an error that names what it has', async () => {
    await cp(fileURLToPath(new URL('./models/verifier/verifier.onnx', import.meta.url)), join(folder, 'model.onnx'));
    await expect(OnnxEmbedder.open({ folder, logger })).rejects.toThrow('its outputs are logit');
  });
});

test('the vocabulary of a WordPiece tokenizer.json is that of its vocab.txt', async () => {
  const pieces = (await readFile(join(folder, 'vocab.txt'), 'utf8')).trim().split('\n');
  const fromText = await readSentenceTransformer(folder);
  await rm(join(folder, 'vocab.txt'));
  await put('tokenizer.json', { model: { type: 'WordPiece', vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id]).reverse()) } });
  const fromJson = await readSentenceTransformer(folder);
  expect(fromJson.wordPiece.encode('turn lights off 🍕', 10)).toEqual([4, 11, 12, 8, 1]);
  expect(fromText.wordPiece.encode('turn lights off 🍕', 10)).toEqual([4, 11, 12, 8, 1]);
  expect(fromJson).toMatchObject({ start: fromText.start, end: fromText.end, maxPieces: 6, pooling: 'mean' });
});

test('the shortest length that a file states is the limit, and BERT’s where none does', async () => {
  await put('sentence_bert_config.json', { max_seq_length: 7, do_lower_case: false });
  await put('tokenizer_config.json', { model_max_length: 1e30, do_lower_case: true });
  expect((await readSentenceTransformer(folder)).maxPieces).toBe(5);
  await Promise.all(['sentence_bert_config.json', 'config.json'].map((name) => rm(join(folder, name))));
  await put('tokenizer_config.json', {});
  expect((await readSentenceTransformer(folder)).maxPieces).toBe(510);
});

test.each<[string, () => Promise<unknown>]>([
  ['does not exist', () => rm(folder, { recursive: true })],
  ['has neither model.onnx nor onnx/model.onnx', () => rm(join(folder, 'model.onnx'))],
  ['has neither a WordPiece tokenizer.json nor a vocab.txt', () => rm(join(folder, 'vocab.txt'))],
  ['has a "Unigram" tokenizer', () => put('tokenizer.json', { model: { type: 'Unigram' } })],
  ['tells upper from lower case', () => put('tokenizer_config.json', { do_lower_case: false })],
  ['tells upper from lower case', () => put('tokenizer.json', { model: { type: 'WordPiece' }, normalizer: { lowercase: false } })],
  ['tokenizer.json is not a JSON object', () => writeFile(join(folder, 'tokenizer.json'), '{')],
  ['lacks [CLS]', () => writeFile(join(folder, 'vocab.txt'), '[UNK]\nturn\n')],
  ['pools by max_tokens', async () => {
    await mkdir(join(folder, '1_Pooling'));
    await put('1_Pooling/config.json', { pooling_mode_max_tokens: true });
  }],
])('a folder that cannot be used says why: it %s', async (reason, spoil) => {
  await spoil();
  await expect(readSentenceTransformer(folder)).rejects.toThrow(reason);
});
