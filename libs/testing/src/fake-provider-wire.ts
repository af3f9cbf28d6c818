import type { Step, StepUsage } from './fake-provider-steps.ts';

/** What of a request decides how its answer looks. */
export interface Asked {
  model: string;
  stream: boolean;
  includeUsage: boolean;
  /** How many choices. */
  n: number;
  /** How many alternatives of each token are to come with their probabilities; null: no probabilities. */
  topLogprobs: number | null;
  /** Text of all messages or inputs; what prompt tokens are counted from. */
  promptText: string;
}

/** One thing to be written: a frame of a stream, and whether it carries content. */
export interface Frame {
  text: string | Buffer;
  content: boolean;
  /** What says that a stream is complete: a step with `done: false` leaves it out. */
  end?: true;
}

/** The one moment at which everything was created, Unix seconds: answers are the same every time. */
export const CREATED_S = 1_700_000_000;

/** OpenAI's bounds of `n` and `top_logprobs`. */
const MOST_CHOICES = 128;
const MOST_ALTERNATIVES = 20;

/** About OpenAI's ratio of characters to tokens; exact numbers are a step's own business. */
export const roughTokens = (text: string): number => Math.ceil(text.length / 4);

/** Reads a request body leniently: a fake provider answers whatever comes. `named` is the model that the path names. */
export function asked(body: unknown, named?: string): Asked {
  const fields = isRecord(body) ? body : {};
  const options = isRecord(fields['stream_options']) ? fields['stream_options'] : {};
  return {
    model: typeof fields['model'] === 'string' ? fields['model'] : (named ?? 'fake-model'),
    stream: fields['stream'] === true,
    includeUsage: options['include_usage'] === true,
    n: typeof fields['n'] === 'number' ? Math.min(fields['n'], MOST_CHOICES) : 1,
    topLogprobs: fields['logprobs'] === true ? Math.min(Number(fields['top_logprobs'] ?? 0), MOST_ALTERNATIVES) : null,
    promptText: textsOf(promptOf(fields)).join('\n'),
  };
}

/** The last text of the user, which the default answer repeats. */
export const lastText = (body: unknown): string => (isRecord(body) ? (textsOf(promptOf(body)).at(-1) ?? '') : '');

/** A whole chat completion. */
export function completion(step: Step, request: Asked, id: string): object {
  const calls = step.toolCalls?.map((call, i) => ({ id: call.id ?? `call_${i}`, type: 'function', function: { name: call.name, arguments: call.arguments } }));
  const choice = (index: number): object => {
    const deltas = deltasOf(step, index);
    const text = deltas.join('');
    const message = { role: 'assistant', content: calls && text === '' ? null : text, refusal: step.refusal ?? null, ...(calls && { tool_calls: calls }) };
    return { index, message, logprobs: logprobs(deltas, request), finish_reason: finishReason(step) };
  };
  return {
    id,
    object: 'chat.completion',
    created: CREATED_S,
    model: step.model ?? request.model,
    choices: Array.from({ length: request.n }, (_, i) => choice(i)),
    ...(step.usage !== null && { usage: usageOf(step, request) }),
    system_fingerprint: 'fp_fake',
  };
}

/** The same as the frames of a stream, `[DONE]` included. */
export function completionFrames(step: Step, request: Asked, id: string): Frame[] {
  const common = { id, object: 'chat.completion.chunk', created: CREATED_S, model: step.model ?? request.model, system_fingerprint: 'fp_fake' };
  const usageField = request.includeUsage ? { usage: null } : {};
  const frames = Array.from({ length: request.n }, (_, index) => {
    const chunk = (delta: object, finish: string | null, probabilities: object | null = null): string =>
      event({ ...common, choices: [{ index, delta, logprobs: probabilities, finish_reason: finish }], ...usageField });
    return choiceFrames(step, request, index, chunk);
  }).flat();
  if (request.includeUsage && step.usage !== null) frames.push({ text: event({ ...common, choices: [], usage: usageOf(step, request) }), content: false });
  return [...frames, DONE];
}

function choiceFrames(step: Step, request: Asked, index: number, chunk: (delta: object, finish: string | null, probabilities?: object | null) => string): Frame[] {
  const frames: Frame[] = [{ text: chunk({ role: 'assistant', content: '', refusal: null }, null), content: false }];
  for (const delta of deltasOf(step, index)) frames.push({ text: chunk({ content: delta }, null, logprobs([delta], request)), content: true });
  if (step.refusal !== undefined) frames.push({ text: chunk({ refusal: step.refusal }, null), content: true });
  for (const [i, call] of (step.toolCalls ?? []).entries()) {
    const opening = { index: i, id: call.id ?? `call_${i}`, type: 'function', function: { name: call.name, arguments: '' } };
    frames.push({ text: chunk({ tool_calls: [opening] }, null), content: true });
    for (const piece of shortPieces(call.arguments)) {
      frames.push({ text: chunk({ tool_calls: [{ index: i, function: { arguments: piece } }] }, null), content: true });
    }
  }
  return [...frames, { text: chunk({}, finishReason(step)), content: false }];
}

/** Choices after the first say which they are, so that no two are alike. */
export const deltasOf = (step: Step, choice: number): string[] => [...(step.deltas ?? []), ...(choice > 0 && !step.toolCalls ? [` (${choice + 1})`] : [])];

/** How models stream the arguments of a call. */
export const shortPieces = (text: string): string[] => text.match(/[\s\S]{1,8}/g) ?? [];

/** Made-up probabilities: as likely as can be, with alternatives that are less and less so. */
function logprobs(tokens: string[], request: Asked): object | null {
  const { topLogprobs } = request;
  if (topLogprobs === null) return null;
  const token = (text: string, rank: number): object => ({ token: text, logprob: -0.125 * (rank + 1), bytes: [...Buffer.from(text)] });
  const content = tokens.map((text) => ({ ...token(text, 0), top_logprobs: Array.from({ length: topLogprobs }, (_, i) => token(i === 0 ? text : `${text}${i}`, i)) }));
  return { content, refusal: null };
}

/** The list of models, or one of it. */
export const modelObject = (id: string): object => ({ id, object: 'model', created: CREATED_S, owned_by: 'fake' });

/** An unnamed server-sent event. */
export const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

/** An event whose name is its `type`. */
export const typedEvent = (data: { type: string; [field: string]: unknown }): string => `event: ${data.type}\n${event(data)}`;

export const DONE: Frame = { text: 'data: [DONE]\n\n', content: false, end: true };

export const finishReason = (step: Step): string => step.finishReason ?? (step.toolCalls ? 'tool_calls' : 'stop');

/** The numbers of an answer's usage, as given or counted from the texts. */
export function tokensOf(step: Step, request: Asked): Required<StepUsage> {
  const given: StepUsage = step.usage ?? {};
  const made = Array.from({ length: request.n }, (_, i) => deltasOf(step, i).join('')).join('') + (step.toolCalls ?? []).map((call) => call.name + call.arguments).join('');
  const reasoningTokens = given.reasoningTokens ?? 0;
  return {
    promptTokens: given.promptTokens ?? roughTokens(request.promptText),
    cachedTokens: given.cachedTokens ?? 0,
    completionTokens: given.completionTokens ?? roughTokens(made) + reasoningTokens,
    reasoningTokens,
  };
}

function usageOf(step: Step, request: Asked): object {
  const tokens = tokensOf(step, request);
  return {
    prompt_tokens: tokens.promptTokens,
    completion_tokens: tokens.completionTokens,
    total_tokens: tokens.promptTokens + tokens.completionTokens,
    prompt_tokens_details: { cached_tokens: tokens.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: tokens.reasoningTokens, audio_tokens: 0 },
  };
}

const promptOf = (fields: Record<string, unknown>): unknown => fields['messages'] ?? fields['input'] ?? fields['contents'] ?? fields['prompt'];

/** All texts in a message, an input item, a content part of any dialect, or lists of them. */
export function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (!isRecord(value)) return [];
  return textsOf(value['content'] ?? value['parts'] ?? value['output'] ?? value['text']);
}

/** A field that should be a word, a number or a flag, as text. */
export const wordOf = (value: unknown, otherwise = ''): string => (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : otherwise);

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
