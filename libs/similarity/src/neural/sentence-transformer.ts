import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { WordPiece } from '../embed/wordpiece.ts';
import type { Pooling } from './pooling.ts';

/** A sentence-transformer as its folder describes it. */
export interface SentenceTransformer {
  model: URL;
  wordPiece: WordPiece;
  /** Ids of the pieces around a text: [CLS] and [SEP]. */
  start: number;
  end: number;
  /** Of a text, without the two around it. */
  maxPieces: number;
  pooling: Pooling;
}

const MODEL_FILES = ['model.onnx', 'onnx/model.onnx'];
const BERT_MAX_LENGTH = 512;
const AROUND = 2;

type Json = Record<string, unknown>;

/**
 * Reads a folder as sentence-transformers and its ONNX export write it. Throws an Error whose message tells the operator what is missing,
 * or what deja cannot do: a tokenizer other than uncased WordPiece, a pooling other than mean and [CLS].
 */
export async function readSentenceTransformer(folder: string): Promise<SentenceTransformer> {
  const found = await stat(folder).catch(() => null); // said in the next line
  if (!found?.isDirectory()) throw new Error(`The embedder's folder ${folder} does not exist.`);
  const [tokenizer, settings, sentence, bert, pooling] = await Promise.all([
    jsonIn(folder, 'tokenizer.json'), jsonIn(folder, 'tokenizer_config.json'), jsonIn(folder, 'sentence_bert_config.json'), jsonIn(folder, 'config.json'), jsonIn(folder, '1_Pooling/config.json'),
  ]);
  refuseOtherTokenizers(folder, tokenizer, settings);
  const lines = await vocabularyIn(folder, tokenizer);
  const special = (...names: string[]): number => {
    const id = lines.findIndex((piece) => names.includes(piece));
    if (id < 0) throw new Error(`The vocabulary in ${folder} lacks ${names[0]}.`);
    return id;
  };
  special('[UNK]');
  return {
    model: await modelIn(folder),
    wordPiece: new WordPiece(lines.join('\n')),
    start: special('[CLS]', '<s>'),
    end: special('[SEP]', '</s>'),
    maxPieces: maxLength(settings?.['model_max_length'], sentence?.['max_seq_length'], bert?.['max_position_embeddings']) - AROUND,
    pooling: poolingOf(folder, pooling),
  };
}

async function modelIn(folder: string): Promise<URL> {
  for (const name of MODEL_FILES) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => null); // the next place may have it
    if (found?.isFile()) return pathToFileURL(path);
  }
  throw new Error(`The embedder's folder ${folder} has neither ${MODEL_FILES.join(' nor ')}: export the model to ONNX first.`);
}

async function vocabularyIn(folder: string, tokenizer: Json | null): Promise<string[]> {
  const pieces = (tokenizer?.['model'] as Json | undefined)?.['vocab'];
  if (typeof pieces === 'object' && pieces !== null) {
    const lines: string[] = [];
    for (const [piece, id] of Object.entries(pieces)) if (typeof id === 'number') lines[id] = piece;
    return Array.from(lines, (piece) => piece ?? '');
  }
  const text = await readFile(join(folder, 'vocab.txt'), 'utf8').catch(() => null); // said in the next line
  if (text === null) throw new Error(`The embedder's folder ${folder} has neither a WordPiece tokenizer.json nor a vocab.txt.`);
  return text.replace(/\r?\n$/, '').split(/\r?\n/);
}

function refuseOtherTokenizers(folder: string, tokenizer: Json | null, settings: Json | null): void {
  const model = tokenizer?.['model'] as Json | undefined;
  const kind = model?.['type'] ?? 'WordPiece';
  const prefix = model?.['continuing_subword_prefix'] ?? '##';
  if (kind !== 'WordPiece' || prefix !== '##') throw new Error(`The model in ${folder} has a ${JSON.stringify(kind)} tokenizer; deja knows BERT's WordPiece only. An embeddings API can serve any model.`);
  const normalizer = tokenizer?.['normalizer'] as Json | undefined;
  const cased = [normalizer?.['lowercase'], normalizer?.['strip_accents'], settings?.['do_lower_case']].includes(false);
  if (cased) throw new Error(`The model in ${folder} tells upper from lower case or keeps accents; deja knows uncased models only. An embeddings API can serve any model.`);
}

function poolingOf(folder: string, pooling: Json | null): Pooling {
  const modes = Object.entries(pooling ?? {}).filter(([name, on]) => name.startsWith('pooling_mode_') && on === true).map(([name]) => name.slice('pooling_mode_'.length));
  const [mode = 'mean_tokens'] = modes;
  if (modes.length > 1 || (mode !== 'mean_tokens' && mode !== 'cls_token')) throw new Error(`The model in ${folder} pools by ${modes.join(' and ')}; deja knows mean_tokens and cls_token.`);
  return mode === 'cls_token' ? 'first' : 'mean';
}

/** The shortest that any file states; tokenizers without a limit state an absurd one. */
function maxLength(...stated: unknown[]): number {
  const lengths = stated.filter((length): length is number => typeof length === 'number' && length > AROUND);
  return lengths.length === 0 ? BERT_MAX_LENGTH : Math.min(...lengths);
}

async function jsonIn(folder: string, name: string): Promise<Json | null> {
  const path = join(folder, name);
  const text = await readFile(path, 'utf8').catch(() => null); // each of these files may be absent
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null) return value as Json;
  } catch {
    // said below
  }
  throw new Error(`${path} is not a JSON object.`);
}
