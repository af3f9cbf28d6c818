import type { Call, Reply } from './fake-call.ts';
import { refuse } from './fake-call.ts';
import type { Step } from './fake-provider-steps.ts';
import { CREATED_S, finishReason, isRecord, shortPieces, textsOf, tokensOf, typedEvent, wordOf, type Asked, type Frame } from './fake-provider-wire.ts';
import { page } from './fake-store.ts';

type Json = Record<string, unknown>;

const noResponse = (id: string): Reply => refuse(404, `Response with id '${id}' not found.`);

/** POST responses. What is stored (`store` is not false) is known to later calls of the same credential. */
export function createResponse({ step, asked, request, store }: Call): Reply {
  const body = isRecord(request.body) ? request.body : {};
  const previous = body['previous_response_id'];
  if (typeof previous === 'string' && !store.responses.has(previous)) {
    return refuse(400, `Previous response with id '${previous}' not found.`, 'previous_response_id', 'previous_response_not_found');
  }
  const id = store.newId('resp_');
  const final = finished(step, asked, body, id);
  const inBackground = body['background'] === true;
  if (body['store'] !== false) store.responses.set(id, { final, state: inBackground ? 'queued' : 'final', inputItems: inputItems(body['input'], id) });
  if (asked.stream) return { frames: responseFrames(final, step) };
  return { body: inBackground ? unfinished(final, 'queued') : final };
}

/** GET responses/{id}: a background response is done as soon as someone looks; `stream=true` plays it again. */
export function retrieveResponse({ store, query }: Call, id = ''): Reply {
  const found = store.responses.get(id);
  if (found === undefined) return noResponse(id);
  if (found.state === 'queued') found.state = 'final';
  if (found.state === 'cancelled') return { body: unfinished(found.final, 'cancelled') };
  if (query.get('stream') !== 'true') return { body: found.final };
  const after = Number(query.get('starting_after') ?? -1);
  return { frames: responseFrames(found.final).slice(after + 1) };
}

/** DELETE responses/{id}. */
export function deleteResponse({ store }: Call, id = ''): Reply {
  return store.responses.delete(id) ? { body: { id, object: 'response', deleted: true } } : noResponse(id);
}

/** POST responses/{id}/cancel: only background responses can be cancelled. */
export function cancelResponse({ store }: Call, id = ''): Reply {
  const found = store.responses.get(id);
  if (found === undefined) return noResponse(id);
  if (found.final['background'] !== true) return refuse(400, 'Cannot cancel a synchronous response.');
  if (found.state === 'queued') found.state = 'cancelled';
  return { body: found.state === 'cancelled' ? unfinished(found.final, 'cancelled') : found.final };
}

/** GET responses/{id}/input_items. */
export function responseInputItems({ store, query }: Call, id = ''): Reply {
  const found = store.responses.get(id);
  return found === undefined ? noResponse(id) : { body: page(found.inputItems, query, 20) };
}

function inputItems(input: unknown, id: string): Json[] {
  const items = typeof input === 'string' ? [{ role: 'user', content: input }] : Array.isArray(input) ? input.filter(isRecord) : [];
  return items.map((item, i) => {
    const own = { id: `msg_${id}_in_${i}`, ...item };
    if (!('role' in item)) return own;
    const text = (content: string): Json[] => [item['role'] === 'assistant' ? { type: 'output_text', text: content, annotations: [], logprobs: [] } : { type: 'input_text', text: content }];
    return { ...own, type: 'message', status: 'completed', content: typeof item['content'] === 'string' ? text(item['content']) : item['content'] };
  });
}

/** A response that is done, with all fields that OpenAI's have. */
function finished(step: Step, asked: Asked, body: Json, id: string): Json {
  const tokens = tokensOf(step, asked);
  const cut = ({ length: 'max_output_tokens', content_filter: 'content_filter' } as Record<string, string>)[finishReason(step)];
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isRecord) : [];
  return {
    id, object: 'response', created_at: CREATED_S, status: cut === undefined ? 'completed' : 'incomplete', background: body['background'] ?? false,
    completed_at: cut === undefined ? CREATED_S : null, error: null, incomplete_details: cut === undefined ? null : { reason: cut },
    instructions: body['instructions'] ?? null, max_output_tokens: body['max_output_tokens'] ?? null, max_tool_calls: body['max_tool_calls'] ?? null,
    model: step.model ?? asked.model, output: outputItems(step, id, cut === undefined ? 'completed' : 'incomplete'), parallel_tool_calls: body['parallel_tool_calls'] ?? true,
    previous_response_id: body['previous_response_id'] ?? null, reasoning: { effort: null, summary: null }, service_tier: 'default', store: body['store'] ?? true,
    temperature: body['temperature'] ?? 1, text: { format: { type: 'text' }, verbosity: 'medium', ...(isRecord(body['text']) && body['text']) },
    tool_choice: body['tool_choice'] ?? 'auto', tools: tools.map((tool) => (tool['type'] === 'function' ? { strict: true, ...tool } : tool)),
    top_logprobs: body['top_logprobs'] ?? 0, top_p: body['top_p'] ?? 1, truncation: body['truncation'] ?? 'disabled',
    ...(step.usage !== null && {
      usage: {
        input_tokens: tokens.promptTokens,
        input_tokens_details: { cached_tokens: tokens.cachedTokens, cache_write_tokens: 0 },
        output_tokens: tokens.completionTokens,
        output_tokens_details: { reasoning_tokens: tokens.reasoningTokens },
        total_tokens: tokens.promptTokens + tokens.completionTokens,
      },
    }),
    ...(body['user'] !== undefined && { user: body['user'] }), metadata: body['metadata'] ?? {},
  };
}

function outputItems(step: Step, id: string, status: string): Json[] {
  const text = (step.deltas ?? []).join('');
  const calls = (step.toolCalls ?? []).map((call, i) => ({
    id: `fc_${id}_${i}`, type: 'function_call', status, arguments: call.arguments, call_id: call.id ?? `call_${i}`, name: call.name,
  }));
  const content = [
    ...(text === '' && (calls.length > 0 || step.refusal !== undefined) ? [] : [{ type: 'output_text', text, annotations: [], logprobs: [] }]),
    ...(step.refusal === undefined ? [] : [{ type: 'refusal', refusal: step.refusal }]),
  ];
  return [...(content.length === 0 ? [] : [{ id: `msg_${id}`, type: 'message', status, role: 'assistant', content }]), ...calls];
}

function unfinished(final: Json, status: string): Json {
  const response: Json = { ...final, status, completed_at: null, incomplete_details: null, output: [] };
  delete response['usage']; // not known yet
  return response;
}

/** A response as its typed events, numbered. The step, if there is one, says in which pieces the text comes. */
function responseFrames(final: Json, step?: Step): Frame[] {
  const frames: Frame[] = [];
  const add = (type: string, fields: object, more: Omit<Frame, 'text'> = { content: false }): void => {
    frames.push({ ...more, text: typedEvent({ type, ...fields, sequence_number: frames.length }) });
  };
  if (final['background'] === true) add('response.queued', { response: unfinished(final, 'queued') });
  else add('response.created', { response: unfinished(final, 'in_progress') });
  add('response.in_progress', { response: unfinished(final, 'in_progress') });
  for (const [index, item] of (final['output'] as Json[]).entries()) itemEvents(item, index, step, add);
  add(`response.${final['status'] === 'completed' ? 'completed' : 'incomplete'}`, { response: final }, { content: false, end: true });
  return frames;
}

type Add = (type: string, fields: object, more?: Omit<Frame, 'text'>) => void;

function itemEvents(item: Json, output_index: number, step: Step | undefined, add: Add): void {
  const at = { item_id: item['id'], output_index };
  const isCall = item['type'] === 'function_call';
  add('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', ...(isCall ? { arguments: '' } : { content: [] }) } });
  if (isCall) {
    for (const delta of shortPieces(wordOf(item['arguments']))) add('response.function_call_arguments.delta', { ...at, delta }, { content: true });
    add('response.function_call_arguments.done', { ...at, name: item['name'], arguments: item['arguments'] });
  } else {
    for (const [content_index, part] of (item['content'] as Json[]).entries()) partEvents(part, { ...at, content_index }, step, add);
  }
  add('response.output_item.done', { output_index, item });
}

function partEvents(part: Json, at: object, step: Step | undefined, add: Add): void {
  const refused = part['type'] === 'refusal';
  const kind = refused ? 'response.refusal' : 'response.output_text';
  const text = refused ? wordOf(part['refusal']) : textsOf(part).join('');
  const pieces = refused ? [text] : (step?.deltas ?? [text]);
  add('response.content_part.added', { ...at, part: refused ? { type: 'refusal', refusal: '' } : { ...part, text: '' } });
  for (const delta of pieces) add(`${kind}.delta`, { ...at, delta, ...(!refused && { logprobs: [] }) }, { content: true });
  add(`${kind}.done`, refused ? { ...at, refusal: text } : { ...at, text, logprobs: [] });
  add('response.content_part.done', { ...at, part });
}
