import { sseEvent } from '../dialects/sse.ts';
import type { ContentPart, LogProb } from './chat-output.ts';
import type { OutputItem, ResponseObject } from './response-object.ts';

/** One event of a streamed response. */
export interface ResponseEvent {
  type: string;
  sequence_number: number;
  [field: string]: unknown;
}

/** An event on the wire: responses name each event, and end without `[DONE]`. */
export const responseSse = (event: ResponseEvent): string => `event: ${event.type}\n${sseEvent(JSON.stringify(event))}`;

/** Makes events, numbered, and holds them until they are taken. Order as in OpenAI's streams ("Streaming events"). */
export class ResponseEvents {
  private made: ResponseEvent[] = [];
  private count = 0;

  take(): ResponseEvent[] {
    const made = this.made;
    this.made = [];
    return made;
  }

  begun(response: ResponseObject): void {
    this.add('response.created', { response });
    this.add('response.in_progress', { response });
  }

  ended(response: ResponseObject): void {
    const type = response.status === 'failed' || response.status === 'incomplete' ? response.status : 'completed';
    this.add(`response.${type}`, { response });
  }

  /** Events of the item at this place in the output. */
  item(outputIndex: number, itemId: string): ItemEvents {
    return new ItemEvents((type, fields) => this.add(type, fields), outputIndex, itemId);
  }

  private add(type: string, fields: Record<string, unknown>): void {
    this.made.push({ type, sequence_number: this.count++, ...fields });
  }
}

/** Events of one item; `done` events repeat the whole. */
export class ItemEvents {
  constructor(
    private readonly emit: (type: string, fields: Record<string, unknown>) => void,
    private readonly outputIndex: number,
    private readonly itemId: string,
  ) {}

  added(item: OutputItem): void {
    this.emit('response.output_item.added', { output_index: this.outputIndex, item });
  }

  done(item: OutputItem): void {
    this.emit('response.output_item.done', { output_index: this.outputIndex, item });
  }

  partAdded(index: number, part: ContentPart): void {
    this.say('response.content_part.added', { content_index: index, part });
  }

  textDelta(index: number, delta: string, logprobs: LogProb[]): void {
    this.say('response.output_text.delta', { content_index: index, delta, logprobs });
  }

  annotationAdded(index: number, position: number, annotation: unknown): void {
    this.say('response.output_text.annotation.added', { content_index: index, annotation_index: position, annotation });
  }

  refusalDelta(index: number, delta: string): void {
    this.say('response.refusal.delta', { content_index: index, delta });
  }

  reasoningDelta(index: number, delta: string): void {
    this.say('response.reasoning_text.delta', { content_index: index, delta });
  }

  partDone(index: number, part: ContentPart): void {
    const at = { content_index: index };
    if (part.type === 'output_text') this.say('response.output_text.done', { ...at, text: part['text'], logprobs: part['logprobs'] ?? [] });
    else if (part.type === 'refusal') this.say('response.refusal.done', { ...at, refusal: part['refusal'] });
    else if (part.type === 'reasoning_text') this.say('response.reasoning_text.done', { ...at, text: part['text'] });
    this.say('response.content_part.done', { ...at, part });
  }

  summaryAdded(index: number): void {
    this.say('response.reasoning_summary_part.added', { summary_index: index, part: { type: 'summary_text', text: '' } });
  }

  summaryDelta(index: number, delta: string): void {
    this.say('response.reasoning_summary_text.delta', { summary_index: index, delta });
  }

  summaryDone(index: number, part: ContentPart): void {
    this.say('response.reasoning_summary_text.done', { summary_index: index, text: part['text'] });
    this.say('response.reasoning_summary_part.done', { summary_index: index, part });
  }

  argumentsDelta(delta: string): void {
    this.say('response.function_call_arguments.delta', { delta });
  }

  argumentsDone(item: OutputItem): void {
    this.say('response.function_call_arguments.done', { name: item['name'], arguments: item['arguments'] });
  }

  inputDelta(delta: string): void {
    this.say('response.custom_tool_call_input.delta', { delta });
  }

  inputDone(item: OutputItem): void {
    this.say('response.custom_tool_call_input.done', { input: item['input'] });
  }

  private say(type: string, fields: Record<string, unknown>): void {
    this.emit(type, { item_id: this.itemId, output_index: this.outputIndex, ...fields });
  }
}
