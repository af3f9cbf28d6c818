import type { Call, Reply } from './fake-call.ts';
import { completion, completionFrames, CREATED_S, deltasOf, DONE, event, finishReason, isRecord, roughTokens, textsOf, tokensOf, type Frame } from './fake-provider-wire.ts';

/** POST chat/completions. */
export function chatCompletions({ step, asked, request }: Call): Reply {
  const id = `chatcmpl-fake-${request.n}`;
  return asked.stream ? { frames: completionFrames(step, asked, id) } : { body: completion(step, asked, id) };
}

/** POST completions, OpenAI's older way: `n` choices for each prompt. */
export function completions(call: Call): Reply {
  const { step, asked, request } = call;
  const body = isRecord(request.body) ? request.body : {};
  const prompts = inputsOf(body['prompt']);
  const common = { id: `cmpl-fake-${request.n}`, object: 'text_completion', created: CREATED_S, model: step.model ?? asked.model, system_fingerprint: 'fp_fake' };
  const tokens = tokensOf(step, { ...asked, n: asked.n * Math.max(1, prompts.length) });
  const usage = { prompt_tokens: tokens.promptTokens, completion_tokens: tokens.completionTokens, total_tokens: tokens.promptTokens + tokens.completionTokens };
  const choices = (prompts.length === 0 ? [''] : prompts).flatMap((prompt) => Array.from({ length: asked.n }, () => (body['echo'] === true ? [prompt] : [])));
  const all = choices.map((echoed, index) => ({ index, deltas: [...echoed, ...deltasOf(step, index)] }));
  const choice = (index: number, text: string, finish: string | null): object => ({ text, index, logprobs: null, finish_reason: finish });
  if (!asked.stream) {
    return { body: { ...common, choices: all.map(({ index, deltas }) => choice(index, deltas.join(''), finishReason(step))), ...(step.usage !== null && { usage }) } };
  }
  const usageField = asked.includeUsage ? { usage: null } : {};
  const chunk = (index: number, text: string, finish: string | null): string => event({ ...common, choices: [choice(index, text, finish)], ...usageField });
  const frames: Frame[] = all.flatMap(({ index, deltas }) => [
    ...deltas.map((delta) => ({ text: chunk(index, delta, null), content: true })),
    { text: chunk(index, '', finishReason(step)), content: false },
  ]);
  if (asked.includeUsage && step.usage !== null) frames.push({ text: event({ ...common, choices: [], usage }), content: false });
  return { frames: [...frames, DONE] };
}

/** POST embeddings: one small vector a text, the same for the same text; `dimensions` and `encoding_format` are kept to. */
export function embeddings({ step, asked, request }: Call): Reply {
  const body = isRecord(request.body) ? request.body : {};
  const inputs = inputsOf(body['input']);
  const size = typeof body['dimensions'] === 'number' ? body['dimensions'] : 8;
  const tokens = step.usage?.promptTokens ?? roughTokens(inputs.join('\n'));
  const form = (vector: number[]): number[] | string => (body['encoding_format'] === 'base64' ? Buffer.from(littleEndianFloats(vector)).toString('base64') : vector);
  return {
    body: {
      object: 'list',
      model: step.model ?? asked.model,
      data: inputs.map((text, index) => ({ object: 'embedding', index, embedding: form(vectorOf(text, size)) })),
      ...(step.usage !== null && { usage: { prompt_tokens: tokens, total_tokens: tokens } }),
    },
  };
}

/** A vector of length 1 that depends on the text alone. */
export function vectorOf(text: string, size = 8): number[] {
  const vector = Array.from({ length: size }, () => 0);
  for (let i = 0; i < text.length; i++) vector[i % size] = (vector[i % size] ?? 0) + text.charCodeAt(i);
  const norm = Math.hypot(...vector) || 1;
  return vector.map((x) => x / norm);
}

function littleEndianFloats(vector: number[]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [i, x] of vector.entries()) view.setFloat32(i * 4, x, true);
  return view.buffer;
}

/** The texts of an `input` or `prompt`: a text, a list of texts, tokens, or a list of lists of tokens. Tokens are written as their numbers. */
function inputsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return textsOf(value);
  if (value.length > 0 && value.every((item) => typeof item === 'number')) return [value.join(' ')];
  return value.flatMap((item: unknown) => (Array.isArray(item) ? [item.join(' ')] : textsOf(item)));
}

/** OpenAI's moderation categories, as omni-moderation names them. */
const CATEGORIES = [
  'harassment', 'harassment/threatening', 'sexual', 'sexual/minors', 'hate', 'hate/threatening', 'illicit', 'illicit/violent',
  'self-harm', 'self-harm/intent', 'self-harm/instructions', 'violence', 'violence/graphic',
];
/** Categories that look at pictures too. */
const PICTURED = new Set(['sexual', 'self-harm', 'self-harm/intent', 'self-harm/instructions', 'violence', 'violence/graphic']);

/** POST moderations: a text that holds `<category>-test`, such as `violence-test`, is flagged with that category. */
export function moderations({ step, request }: Call): Reply {
  const body = isRecord(request.body) ? request.body : {};
  const input = body['input'];
  // A list of parts is one thing to be judged; a list of texts is many.
  const parts = Array.isArray(input) && input.some(isRecord);
  const texts = parts ? [textsOf(input).join('\n')] : textsOf(input);
  const pictured = parts && input.some((part) => isRecord(part) && part['type'] === 'image_url');
  const applied = (category: string): string[] => ['text', ...(pictured && PICTURED.has(category) ? ['image'] : [])];
  const results = texts.map((text) => {
    const found = new Set(CATEGORIES.filter((category) => text.includes(`${category}-test`)));
    return {
      flagged: found.size > 0,
      categories: Object.fromEntries(CATEGORIES.map((category) => [category, found.has(category)])),
      category_scores: Object.fromEntries(CATEGORIES.map((category) => [category, found.has(category) ? 0.98 : 0.0001])),
      category_applied_input_types: Object.fromEntries(CATEGORIES.map((category) => [category, applied(category)])),
    };
  });
  const model = typeof body['model'] === 'string' ? body['model'] : 'omni-moderation-latest';
  return { body: { id: `modr-fake-${request.n}`, model: step.model ?? model, results } };
}
