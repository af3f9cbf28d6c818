import type { ChatChunk } from '../dialects/dialect.ts';
import type { CompletionUsage } from '../chat/completion.ts';
import { customTools, logprobsOf, messageItem, reasoningItem, refusalPart, textPart, wordsOf, type ContentPart, type LogProb } from './chat-output.ts';
import { bounded, MOST_ITEMS, MOST_LOG_PROBS } from '../dialects/stream-bounds.ts';
import { ResponseEvents, type ItemEvents, type ResponseEvent } from './response-events.ts';
import { begunResponse, endedResponse, endingOf, itemId, type OutputItem, type ResponseObject, type ResponseOrigin } from './response-object.ts';
import type { ResponsesBody } from './responses-request.ts';
import { ToolCallQueue } from './tool-call-queue.ts';

/** A streamed chat completion as a streamed response. One object a stream. */
export class ResponseEventWriter {
  private readonly events = new ResponseEvents();
  private readonly output: OutputItem[] = [];
  private readonly calls: ToolCallQueue;
  private begun: ResponseObject | null = null;
  private ended: ResponseObject | null = null;
  private open: OpenReasoning | OpenMessage | null = null;
  private finishReason: string | null = null;
  private usage: CompletionUsage | null = null;

  constructor(
    private readonly request: ResponsesBody,
    private readonly origin: ResponseOrigin,
  ) {
    this.calls = new ToolCallQueue(this.events, this.output, customTools(request), origin);
  }

  /** The whole response; null before `end`. */
  get response(): ResponseObject | null {
    return this.ended;
  }

  /** Events that this chunk makes. Throws an AttemptFailure `malformed` when it continues a tool call that was complete. */
  push(chunk: ChatChunk): ResponseEvent[] {
    this.begin(chunk);
    if (chunk.usage) this.usage = chunk.usage;
    // A response has one answer.
    const choice = chunk.choices.find((each) => (each?.index ?? 0) === 0);
    if (choice) this.take(choice);
    return this.events.take();
  }

  /** The last events; to be called once, after the provider's own end of stream. A stream without finish reason ends as `incomplete`. */
  end(): ResponseEvent[] {
    const begun = this.begin({});
    const ending = endingOf(this.finishReason);
    this.close(ending.status);
    this.ended = endedResponse(begun, this.origin, this.output, ending, this.usage);
    this.events.ended(this.ended);
    return this.events.take();
  }

  private begin(said: { model?: unknown; service_tier?: unknown }): ResponseObject {
    if (this.begun) return this.begun;
    this.begun = begunResponse(this.request, this.origin, said);
    this.events.begun(this.begun);
    return this.begun;
  }

  private take(choice: ChatChunk['choices'][number]): void {
    const delta = choice.delta ?? {};
    const { reasoning, text, refusal } = wordsOf(delta);
    if (reasoning !== '') this.reasoning().add(reasoning);
    if (text !== '') this.message().addText(text, logprobsOf(choice.logprobs));
    if (refusal !== '') this.message().addRefusal(refusal);
    const calls = delta['tool_calls'];
    if (Array.isArray(calls)) for (const call of calls) this.calls.add((call ?? {}) as Record<string, unknown>);
    if (this.calls.startable) this.closeOpen('completed');
    this.calls.advance();
    if (!choice.finish_reason) return;
    this.finishReason = choice.finish_reason;
    this.close(endingOf(choice.finish_reason).status);
  }

  private reasoning(): OpenReasoning {
    if (this.open instanceof OpenReasoning) return this.open;
    this.close('completed');
    const id = itemId(this.origin, 'rs', this.output.length);
    return (this.open = new OpenReasoning(this.events.item(this.output.length, id), this.origin, this.output.length));
  }

  private message(): OpenMessage {
    if (this.open instanceof OpenMessage) return this.open;
    this.close('completed');
    const id = itemId(this.origin, 'msg', this.output.length);
    return (this.open = new OpenMessage(this.events.item(this.output.length, id), this.origin, this.output.length));
  }

  /** Ends everything that was begun; only the last item gets a status other than completed. */
  private close(status: string): void {
    this.closeOpen(this.calls.empty ? status : 'completed');
    this.calls.close(status);
  }

  private closeOpen(status: string): void {
    if (this.open) this.output.push(this.open.close(status));
    bounded(this.output.length, MOST_ITEMS, 'items');
    this.open = null;
  }
}

class OpenReasoning {
  private text = '';

  constructor(
    private readonly at: ItemEvents,
    private readonly origin: ResponseOrigin,
    private readonly index: number,
  ) {
    at.added(reasoningItem('', origin, index));
    at.summaryAdded(0);
  }

  add(text: string): void {
    this.text += text;
    this.at.summaryDelta(0, text);
  }

  close(): OutputItem {
    const item = reasoningItem(this.text, this.origin, this.index);
    this.at.summaryDone(0, { type: 'summary_text', text: this.text });
    this.at.done(item);
    return item;
  }
}

class OpenMessage {
  private readonly parts: ContentPart[] = [];
  private part: { type: 'output_text' | 'refusal'; text: string; logprobs: LogProb[] } | null = null;

  constructor(
    private readonly at: ItemEvents,
    private readonly origin: ResponseOrigin,
    private readonly index: number,
  ) {
    at.added(messageItem([], origin, index, 'in_progress'));
  }

  addText(text: string, logprobs: LogProb[]): void {
    const part = this.partOf('output_text');
    part.text += text;
    for (const logprob of logprobs) part.logprobs.push(logprob);
    bounded(part.logprobs.length, MOST_LOG_PROBS, 'log probabilities');
    this.at.textDelta(this.parts.length, text, logprobs);
  }

  addRefusal(refusal: string): void {
    this.partOf('refusal').text += refusal;
    this.at.refusalDelta(this.parts.length, refusal);
  }

  close(status: string): OutputItem {
    this.closePart();
    const item = messageItem(this.parts, this.origin, this.index, status);
    this.at.done(item);
    return item;
  }

  private partOf(type: 'output_text' | 'refusal'): NonNullable<OpenMessage['part']> {
    if (this.part?.type === type) return this.part;
    this.closePart();
    this.at.partAdded(this.parts.length, type === 'refusal' ? refusalPart('') : textPart('', []));
    return (this.part = { type, text: '', logprobs: [] });
  }

  private closePart(): void {
    if (!this.part) return;
    const { type, text, logprobs } = this.part;
    const part = type === 'refusal' ? refusalPart(text) : textPart(text, logprobs);
    this.at.partDone(this.parts.length, part);
    this.parts.push(part);
    this.part = null;
  }
}
