import type { Call, Reply } from './fake-call.ts';
import type { Step, ToolCall } from './fake-provider-steps.ts';
import { event, finishReason, isRecord, shortPieces, tokensOf, textsOf, typedEvent, type Frame } from './fake-provider-wire.ts';
import { vectorOf } from './fake-texts.ts';

const ANTHROPIC_STOPS: Record<string, string> = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use', content_filter: 'refusal' };
const GEMINI_STOPS: Record<string, string> = { stop: 'STOP', length: 'MAX_TOKENS', tool_calls: 'STOP', content_filter: 'SAFETY' };

const argumentsOf = (call: ToolCall): unknown => JSON.parse(call.arguments === '' ? '{}' : call.arguments);

/** POST v1/messages, Anthropic's ("Create a Message", "Streaming messages" in its API reference). */
export function anthropicMessages({ step, asked, request }: Call): Reply {
  const tokens = tokensOf(step, asked);
  // Anthropic counts what was read from the cache beside the input, not in it.
  const input = { input_tokens: tokens.promptTokens - tokens.cachedTokens, cache_creation_input_tokens: 0, cache_read_input_tokens: tokens.cachedTokens };
  const usage = step.usage === null ? {} : { usage: { ...input, output_tokens: tokens.completionTokens } };
  const stop_reason = ANTHROPIC_STOPS[finishReason(step)] ?? finishReason(step);
  const text = (step.deltas ?? []).join('') + (step.refusal ?? '');
  const content = [
    ...(text === '' && step.toolCalls ? [] : [{ type: 'text', text }]),
    ...(step.toolCalls ?? []).map((call, i) => ({ type: 'tool_use', id: call.id ?? `toolu_${i}`, name: call.name, input: argumentsOf(call) })),
  ];
  const message = { id: `msg_fake_${request.n}`, type: 'message', role: 'assistant', model: step.model ?? asked.model, content, stop_reason, stop_sequence: null, ...usage };
  if (!asked.stream) return { body: message };
  const start = { ...message, content: [], stop_reason: null, ...(step.usage !== null && { usage: { ...input, output_tokens: 1 } }) };
  const frames: Frame[] = [quiet({ type: 'message_start', message: start }), quiet({ type: 'ping' })];
  for (const [index, block] of content.entries()) frames.push(...blockFrames(block, index, step));
  frames.push(quiet({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, ...usage }));
  return { frames: [...frames, { text: typedEvent({ type: 'message_stop' }), content: false, end: true }] };
}

const quiet = (data: { type: string; [field: string]: unknown }): Frame => ({ text: typedEvent(data), content: false });

function blockFrames(block: { type: string; text?: string; input?: unknown }, index: number, step: Step): Frame[] {
  const isText = block.type === 'text';
  const pieces = isText ? [...(step.deltas ?? []), ...(step.refusal === undefined ? [] : [step.refusal])] : shortPieces(JSON.stringify(block.input));
  const delta = (piece: string): object => (isText ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece });
  return [
    quiet({ type: 'content_block_start', index, content_block: { ...block, ...(isText ? { text: '' } : { input: {} }) } }),
    ...pieces.map((piece) => ({ text: typedEvent({ type: 'content_block_delta', index, delta: delta(piece) }), content: true })),
    quiet({ type: 'content_block_stop', index }),
  ];
}

/** POST v1beta/models/{model}:generateContent and :streamGenerateContent, Gemini's ("Generating content" in its API reference). */
export function geminiGenerate({ step, asked, request, query }: Call, model = '', method = ''): Reply {
  const tokens = tokensOf(step, asked);
  const usageMetadata = {
    promptTokenCount: tokens.promptTokens,
    candidatesTokenCount: tokens.completionTokens - tokens.reasoningTokens,
    totalTokenCount: tokens.promptTokens + tokens.completionTokens,
    ...(tokens.cachedTokens > 0 && { cachedContentTokenCount: tokens.cachedTokens }),
    ...(tokens.reasoningTokens > 0 && { thoughtsTokenCount: tokens.reasoningTokens }),
  };
  const chunk = (parts: object[], finish?: string): object => ({
    candidates: [{ content: { parts, role: 'model' }, ...(finish !== undefined && { finishReason: finish }), index: 0 }],
    ...(step.usage !== null && { usageMetadata }),
    modelVersion: step.model ?? decodeURIComponent(model),
    responseId: `fake-${request.n}`,
  });
  const finish = GEMINI_STOPS[finishReason(step)] ?? finishReason(step);
  const calls = (step.toolCalls ?? []).map((call) => ({ functionCall: { ...(call.id !== undefined && { id: call.id }), name: call.name, args: argumentsOf(call) } }));
  const texts = [...(step.deltas ?? []), ...(step.refusal === undefined ? [] : [step.refusal])];
  const whole = [...(texts.length > 0 ? [{ text: texts.join('') }] : []), ...calls];
  if (method !== 'streamGenerateContent') return { body: chunk(whole, finish) };
  const chunks = [...texts.map((text) => chunk([{ text }])), ...calls.map((call) => chunk([call])), chunk([{ text: '' }], finish)];
  // Without alt=sse the stream is one JSON array.
  if (query.get('alt') !== 'sse') return { body: chunks };
  return { frames: chunks.map((data, i) => (i < chunks.length - 1 ? { text: event(data), content: true } : { text: event(data), content: false, end: true })) };
}

/** POST v1beta/models/{model}:embedContent and :batchEmbedContents. */
export function geminiEmbed({ request }: Call, _model = '', method = ''): Reply {
  const body = isRecord(request.body) ? request.body : {};
  const embed = (item: unknown): object => {
    const fields = isRecord(item) ? item : {};
    const size = fields['outputDimensionality'];
    return { values: vectorOf(textsOf(fields['content']).join('\n'), typeof size === 'number' ? size : 8) };
  };
  if (method === 'embedContent') return { body: { embedding: embed(body) } };
  return { body: { embeddings: (Array.isArray(body['requests']) ? body['requests'] : []).map(embed) } };
}
