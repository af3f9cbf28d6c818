import type { ContentPart, LogProb } from './chat-output.ts';
import { ResponseEvents, type ItemEvents, type ResponseEvent } from './response-events.ts';
import type { OutputItem, ResponseObject } from './response-object.ts';

/** By code points, so that no surrogate pair is split. */
const PIECE = /[\s\S]{1,256}/gu;

const pieces = (text: unknown): string[] => (typeof text === 'string' ? (text.match(PIECE) ?? []) : []);

/**
 * A whole response as the stream a provider would have sent: for a streaming client who is answered from the cache.
 * Items of kinds that are not known here are told as added and done.
 */
export function* responseEvents(response: ResponseObject): Generator<ResponseEvent> {
  const events = new ResponseEvents();
  events.begun(begun(response));
  yield* events.take();
  for (const [index, item] of response.output.entries()) {
    const at = events.item(index, item.id ?? '');
    if (item.type === 'message') message(at, item);
    else if (item.type === 'reasoning') reasoning(at, item);
    else if (item.type === 'function_call') functionCall(at, item);
    else if (item.type === 'custom_tool_call') customCall(at, item);
    else at.added(item);
    at.done(item);
    yield* events.take();
  }
  events.ended(response);
  yield* events.take();
}

/** The response as it was when nothing had been put out. */
function begun(response: ResponseObject): ResponseObject {
  const { usage: _usage, output_text: _text, ...rest } = response;
  return { ...rest, status: 'in_progress', error: null, incomplete_details: null, ...('completed_at' in rest && { completed_at: null }), output: [] };
}

const list = (value: unknown): ContentPart[] => (Array.isArray(value) ? (value as ContentPart[]) : []);

const unfinished = (item: OutputItem): { status?: string } => ('status' in item ? { status: 'in_progress' } : {});

function message(at: ItemEvents, item: OutputItem): void {
  at.added({ ...item, ...unfinished(item), content: [] });
  for (const [index, part] of list(item['content']).entries()) contentPart(at, index, part);
}

function contentPart(at: ItemEvents, index: number, part: ContentPart): void {
  if (part.type === 'output_text') {
    at.partAdded(index, { ...part, text: '', annotations: [], logprobs: [] });
    for (const [position, piece] of pieces(part['text']).entries()) at.textDelta(index, piece, position === 0 ? (list(part['logprobs']) as unknown as LogProb[]) : []);
    for (const [position, annotation] of list(part['annotations']).entries()) at.annotationAdded(index, position, annotation);
  } else if (part.type === 'refusal') {
    at.partAdded(index, { ...part, refusal: '' });
    for (const piece of pieces(part['refusal'])) at.refusalDelta(index, piece);
  } else if (part.type === 'reasoning_text') {
    at.partAdded(index, { ...part, text: '' });
    for (const piece of pieces(part['text'])) at.reasoningDelta(index, piece);
  } else at.partAdded(index, part);
  at.partDone(index, part);
}

function reasoning(at: ItemEvents, item: OutputItem): void {
  at.added({ ...item, ...unfinished(item), summary: [], ...('content' in item && { content: [] }) });
  for (const [index, part] of list(item['summary']).entries()) {
    at.summaryAdded(index);
    for (const piece of pieces(part['text'])) at.summaryDelta(index, piece);
    at.summaryDone(index, part);
  }
  for (const [index, part] of list(item['content']).entries()) contentPart(at, index, part);
}

function functionCall(at: ItemEvents, item: OutputItem): void {
  at.added({ ...item, ...unfinished(item), arguments: '' });
  for (const piece of pieces(item['arguments'])) at.argumentsDelta(piece);
  at.argumentsDone(item);
}

function customCall(at: ItemEvents, item: OutputItem): void {
  at.added({ ...item, ...unfinished(item), input: '' });
  for (const piece of pieces(item['input'])) at.inputDelta(piece);
  at.inputDone(item);
}
