import { IMAGE_RULES, type ImageRule } from './image-rules.ts';

export type Encoding = 'o200k_base' | 'cl100k_base';

/** How a model's prompt is counted. */
export interface Tokenizer {
  encoding: Encoding;
  /** What the encoding's count of a text is multiplied with: 1 where it is the model's own, more where it only resembles it. */
  factor: number;
  images: ImageRule;
}

type Row = readonly [name: string, encoding: Encoding, factor: number, images: ImageRule];

const O200K = 'o200k_base';
const CL100K = 'cl100k_base';
const R = IMAGE_RULES;

/**
 * Which encoding a model counts with, by its name or, with `*`, by how it begins; the longest that fits is taken. Encodings as
 * OpenAI's tiktoken maps them. Factors above 1 are declared, not measured: other vendors publish no tokenizer to count with,
 * theirs make more tokens of the same text, and a limit has to hold.
 */
const MODELS: readonly Row[] = [
  ['gpt-*', O200K, 1, R.gpt6],
  ['gpt-6*', O200K, 1, R.gpt6],
  ['gpt-5.6*', O200K, 1, R.gpt5_6],
  ['gpt-5.5*', O200K, 1, R.gpt5_5],
  ['gpt-5.4*', O200K, 1, R.gpt5_4],
  ['gpt-5.3*', O200K, 1, R.gpt5_2],
  ['gpt-5.2*', O200K, 1, R.gpt5_2],
  ['gpt-5*', O200K, 1, R.gpt5],
  ['gpt-5-mini*', O200K, 1, R.gpt5Mini],
  ['gpt-5.1-codex-mini*', O200K, 1, R.gpt5Mini],
  ['gpt-5-nano*', O200K, 1, R.gpt5Nano],
  ['gpt-4.5*', O200K, 1, R.gpt4o],
  ['gpt-4.1*', O200K, 1, R.gpt4o],
  ['gpt-4.1-mini*', O200K, 1, R.gpt41Mini],
  ['gpt-4.1-nano*', O200K, 1, R.gpt41Nano],
  ['gpt-4o*', O200K, 1, R.gpt4o],
  ['gpt-4o-mini*', O200K, 1, R.gpt4oMini],
  ['chatgpt-4o*', O200K, 1, R.gpt4o],
  ['chatgpt-*', O200K, 1, R.gpt4o],
  ['gpt-4', CL100K, 1, R.gpt4o],
  ['gpt-4-*', CL100K, 1, R.gpt4o],
  ['gpt-3.5*', CL100K, 1, R.gpt4o],
  ['gpt-35*', CL100K, 1, R.gpt4o],
  ['o1*', O200K, 1, R.oSeries],
  ['o3*', O200K, 1, R.oSeries],
  ['o4-mini*', O200K, 1, R.o4Mini],
  ['o4*', O200K, 1, R.o4Mini],
  ['codex-mini*', O200K, 1, R.o4Mini],
  ['computer-use*', O200K, 1, R.computerUse],
  ['omni-moderation*', O200K, 1, R.gpt4o],
  ['text-embedding-3*', CL100K, 1, R.gpt4o],
  ['text-embedding-ada-002*', CL100K, 1, R.gpt4o],
  ['davinci-002', CL100K, 1, R.gpt4o],
  ['babbage-002', CL100K, 1, R.gpt4o],
  ['claude*', O200K, 1.35, R.gpt4o],
  ['gemini*', O200K, 1.2, R.gpt4o],
  ['gemma*', O200K, 1.2, R.gpt4o],
  ['llama*', O200K, 1.2, R.gpt4o],
  ['meta-llama*', O200K, 1.2, R.gpt4o],
  ['mistral*', O200K, 1.3, R.gpt4o],
  ['ministral*', O200K, 1.3, R.gpt4o],
  ['deepseek*', O200K, 1.2, R.gpt4o],
  ['qwen*', O200K, 1.2, R.gpt4o],
  ['grok*', O200K, 1.2, R.gpt4o],
];
/** A model nobody told of. */
const ANY: Row = ['*', O200K, 1.35, R.gpt4o];

const begins = (name: string): string => name.replace('*', '');
const LONGEST_FIRST = MODELS.toSorted(([a], [b]) => begins(b).length - begins(a).length);
/** `anthropic.claude-…` and `us.anthropic.claude-…` as clouds name the models of others. */
const CLOUD_PREFIX = /^(?:[a-z]+\.)?(?:anthropic|meta|mistral|deepseek|qwen|openai)\./;

/** How a model's prompt is counted, found by the name its provider knows it by. `vendor/model` and `ft:model:…` are their model. */
export function tokenizerFor(model: string): Tokenizer {
  const path = model.toLowerCase().replace(/^ft:/, '').split(':')[0] ?? '';
  const name = path.slice(path.lastIndexOf('/') + 1).replace(CLOUD_PREFIX, '');
  const [, encoding, factor, images] = LONGEST_FIRST.find(([known]) => (known.endsWith('*') ? name.startsWith(begins(known)) : name === known)) ?? ANY;
  return { encoding, factor, images };
}

/** The encoding a model's texts are counted with. Of models that are not OpenAI's it is only the nearest one there is. */
export function encodingFor(model: string): Encoding {
  return tokenizerFor(model).encoding;
}
