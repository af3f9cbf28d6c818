import type { Step, StepUsage } from './fake-provider-steps.ts';

/** What of a request decides how its answer looks. */
export interface Asked {
  model: string;
  stream: boolean;
  includeUsage: boolean;
  /** Text of all messages or inputs; what prompt tokens are counted from. */
  promptText: string;
}

/** One thing to be written: a frame of a stream, and whether it carries content. */
export interface Frame {
  text: string;
  content: boolean;
}

const CREATED_S = 1_700_000_000;

/** About OpenAI's ratio of characters to tokens; exact numbers are a step's own business. */
export const roughTokens = (text: string): number => Math.ceil(text.length / 4);

/** Reads a request body leniently: a fake provider answers whatever comes. */
export function asked(body: unknown): Asked {
  const fields = isRecord(body) ? body : {};
  const options = isRecord(fields['stream_options']) ? fields['stream_options'] : {};
  return {
    model: typeof fields['model'] === 'string' ? fields['model'] : 'fake-model',
    stream: fields['stream'] === true,
    includeUsage: options['include_usage'] === true,
    promptText: textsOf(fields['messages'] ?? fields['input']).join('\n'),
  };
}

/** The last text of the user, which the default answer repeats. */
export const lastText = (body: unknown): string => (isRecord(body) ? (textsOf(body['messages'] ?? body['input']).at(-1) ?? '') : '');

/** A whole chat completion. */
export function completion(step: Step, request: Asked, id: string): object {
  const text = (step.deltas ?? []).join('');
  const calls = step.toolCalls?.map((call, i) => ({ id: call.id ?? `call_${i}`, type: 'function', function: { name: call.name, arguments: call.arguments } }));
  return {
    id,
    object: 'chat.completion',
    created: CREATED_S,
    model: step.model ?? request.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: calls && text === '' ? null : text, refusal: step.refusal ?? null, ...(calls && { tool_calls: calls }) },
        logprobs: null,
        finish_reason: finishReason(step),
      },
    ],
    ...(step.usage !== null && { usage: usageOf(step, request) }),
    system_fingerprint: 'fp_fake',
  };
}

/** The same as the frames of a stream, `[DONE]` included. */
export function completionFrames(step: Step, request: Asked, id: string): Frame[] {
  const common = { id, object: 'chat.completion.chunk', created: CREATED_S, model: step.model ?? request.model, system_fingerprint: 'fp_fake' };
  const usageField = request.includeUsage ? { usage: null } : {};
  const chunk = (delta: object, finish: string | null): string =>
    event({ ...common, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...usageField });
  const frames: Frame[] = [{ text: chunk({ role: 'assistant', content: '', refusal: null }, null), content: false }];
  for (const delta of step.deltas ?? []) frames.push({ text: chunk({ content: delta }, null), content: true });
  if (step.refusal !== undefined) frames.push({ text: chunk({ refusal: step.refusal }, null), content: true });
  for (const [index, call] of (step.toolCalls ?? []).entries()) {
    const opening = { index, id: call.id ?? `call_${index}`, type: 'function', function: { name: call.name, arguments: '' } };
    frames.push({ text: chunk({ tool_calls: [opening] }, null), content: true });
    for (const piece of call.arguments.match(/[\s\S]{1,8}/g) ?? []) {
      frames.push({ text: chunk({ tool_calls: [{ index, function: { arguments: piece } }] }, null), content: true });
    }
  }
  if (step.malformed === 'sse') frames.splice(Math.min(2, frames.length), 0, { text: 'data: {"choices":[{"delta":{"content":\n\n', content: false });
  frames.push({ text: chunk({}, finishReason(step)), content: false });
  if (request.includeUsage && step.usage !== null) frames.push({ text: event({ ...common, choices: [], usage: usageOf(step, request) }), content: false });
  if (step.done !== false) frames.push({ text: 'data: [DONE]\n\n', content: false });
  return frames;
}

/** An embeddings reply: one small vector a text, the same for the same text. */
export function embeddings(step: Step, request: Asked, body: unknown): object {
  const inputs = textsOf(isRecord(body) ? body['input'] : undefined);
  const tokens = step.usage?.promptTokens ?? roughTokens(request.promptText);
  return {
    object: 'list',
    model: step.model ?? request.model,
    data: inputs.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text) })),
    ...(step.usage !== null && { usage: { prompt_tokens: tokens, total_tokens: tokens } }),
  };
}

/** The list of models, or one of it. */
export const modelObject = (id: string): object => ({ id, object: 'model', created: CREATED_S, owned_by: 'fake' });

const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

const finishReason = (step: Step): string => step.finishReason ?? (step.toolCalls ? 'tool_calls' : 'stop');

function usageOf(step: Step, request: Asked): object {
  const given: StepUsage = step.usage ?? {};
  const prompt = given.promptTokens ?? roughTokens(request.promptText);
  const made = (step.deltas ?? []).join('') + (step.toolCalls ?? []).map((call) => call.name + call.arguments).join('');
  const output = given.completionTokens ?? roughTokens(made) + (given.reasoningTokens ?? 0);
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: { cached_tokens: given.cachedTokens ?? 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: given.reasoningTokens ?? 0, audio_tokens: 0 },
  };
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (!isRecord(value)) return [];
  return textsOf(value['content'] ?? value['text']);
}

function vectorOf(text: string): number[] {
  const vector = Array.from({ length: 8 }, () => 0);
  for (let i = 0; i < text.length; i++) vector[i % 8] = (vector[i % 8] ?? 0) + text.charCodeAt(i);
  const norm = Math.hypot(...vector) || 1;
  return vector.map((x) => x / norm);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
