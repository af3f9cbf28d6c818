import { AttemptFailure } from '../../attempt/failure.ts';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { ChatChunk, ChatStreamTranslator, TranslationContext } from '../dialect.ts';
import type { SseEvent } from '../sse.ts';
import { bounded, MOST_ANSWER_CHARS, MOST_INDEXED } from '../stream-bounds.ts';
import { failureOfErrorObject } from './failure.ts';
import { finishReason, inputJson, isThought, refusalText, replyShape, thinkingBlock, type ReplyShape } from './message-to-chat.ts';
import { fieldOf, isBlock, isObject, textOf, type Block, type JsonObject } from './messages-api.ts';
import { laterUsage, messageUsage } from './usage.ts';
import { boundedJson } from '../bounded-json.ts';

interface OpenBlock {
  block: Block;
  /** Of a tool call: its place among the calls; -1 for the JSON tool. */
  call: number;
  /** Whether any of a call's input has been told. */
  told: boolean;
}

/** Anthropic's stream of one message as chunks of a chat completion. Source: Anthropic, "Streaming messages". */
export class MessageStreamToChat implements ChatStreamTranslator {
  ended = false;
  private readonly shape: ReplyShape;
  private readonly open = new Map<unknown, OpenBlock>();
  private head: { id: string; model: string };
  private usage: JsonObject = {};
  private roleTold = false;
  private ending: { reason: string; refusal: string | null } | null = null;
  private calls = 0;
  private jsonSeen = false;
  /** Text beside the JSON tool: it is the answer only if that tool is never called. */
  private heldText = '';
  /** Of thoughts and signatures, which are told again with the end of their block. */
  private thoughtChars = 0;

  constructor(
    body: ChatBody,
    private readonly context: TranslationContext,
  ) {
    this.shape = replyShape(body, context);
    this.head = { id: '', model: context.upstreamModel };
  }

  push(event: SseEvent): ChatChunk[] {
    const data = parsedEvent(event);
    switch (data['type']) {
      case 'message_start':
        return this.messageStart(data['message']);
      case 'content_block_start':
        return isBlock(data['content_block']) ? this.blockStart(data['index'], data['content_block']) : [];
      case 'content_block_delta':
        return this.blockDelta(this.open.get(data['index']), data['delta']);
      case 'content_block_stop':
        return this.blockStop(data['index']);
      case 'message_delta':
        return this.messageDelta(data);
      case 'message_stop':
        return this.messageStop();
      case 'error':
        throw failureOfErrorObject(data);
      default:
        return []; // ping, and what Anthropic may add: "Versioning" asks clients to pass over it
    }
  }

  finish(): ChatChunk[] {
    if (!this.ended) throw new AttemptFailure('network');
    return [];
  }

  private messageStart(message: unknown): ChatChunk[] {
    this.head = { id: textOf(message, 'id'), model: textOf(message, 'model') || this.context.upstreamModel };
    this.usage = laterUsage(this.usage, fieldOf(message, 'usage'));
    return [];
  }

  private blockStart(index: unknown, block: Block): ChatChunk[] {
    const isJson = block.type === 'tool_use' && block['name'] === this.shape.jsonTool;
    const isCall = block.type === 'tool_use' && !isJson;
    this.open.set(index, { block: { ...block }, call: isCall ? this.calls : -1, told: false });
    bounded(this.open.size, MOST_INDEXED, 'open blocks');
    if (isJson) this.jsonSeen = true;
    if (block.type === 'text') return this.text(textOf(block, 'text'));
    if (block.type === 'thinking') return this.reasoning(textOf(block, 'thinking'));
    if (!isCall) return [];
    this.calls += 1;
    return this.delta(this.callDelta(this.calls - 1, { name: textOf(block, 'name'), arguments: '' }, textOf(block, 'id')), null);
  }

  private blockDelta(open: OpenBlock | undefined, delta: unknown): ChatChunk[] {
    if (!open) return [];
    const { block } = open;
    switch (fieldOf(delta, 'type')) {
      case 'text_delta':
        return block.type === 'text' ? this.text(textOf(delta, 'text')) : [];
      case 'thinking_delta':
        this.think(textOf(delta, 'thinking').length);
        block['thinking'] = textOf(block, 'thinking') + textOf(delta, 'thinking');
        return this.reasoning(textOf(delta, 'thinking'));
      case 'signature_delta':
        this.think(textOf(delta, 'signature').length);
        block['signature'] = textOf(block, 'signature') + textOf(delta, 'signature');
        return [];
      case 'input_json_delta':
        return block.type === 'tool_use' ? this.input(open, textOf(delta, 'partial_json')) : [];
      default:
        return []; // citations, and what may come
    }
  }

  private blockStop(index: unknown): ChatChunk[] {
    const open = this.open.get(index);
    this.open.delete(index);
    if (!open) return [];
    const { block } = open;
    if (isThought(block)) return this.delta({ thinking_blocks: [thinkingBlock(block)] }, '');
    // A call without arguments streams none, or an empty piece.
    return block.type === 'tool_use' && !open.told ? this.input(open, inputJson(block)) : [];
  }

  /** Why the answer ends is told with its end: a stream that breaks off in between must not look complete. */
  private messageDelta(data: JsonObject): ChatChunk[] {
    this.usage = laterUsage(this.usage, data['usage']);
    const reason = fieldOf(data['delta'], 'stop_reason');
    if (typeof reason === 'string') this.ending ??= { reason, refusal: refusalText(data['delta']) };
    return [];
  }

  private messageStop(): ChatChunk[] {
    const { reason, refusal } = this.ending ?? { reason: 'end_turn', refusal: null };
    const held = this.heldText !== '' && !this.jsonSeen ? this.delta({ content: this.heldText }, '') : [];
    const told = refusal === null ? [] : this.delta({ refusal }, null);
    const role = this.roleTold ? [] : [this.roleChunk('')];
    const finish = { ...this.chunkHead(), choices: [{ index: 0, delta: {}, finish_reason: finishReason(reason, this.calls > 0, this.shape) }] };
    const usage = messageUsage(this.usage);
    this.ended = true;
    return [...held, ...told, ...role, finish, ...(usage ? [{ ...this.chunkHead(), choices: [], usage }] : [])];
  }

  private text(text: string): ChatChunk[] {
    if (this.shape.jsonTool === null) return text === '' ? [] : this.delta({ content: text }, '');
    this.heldText += text;
    bounded(this.heldText.length, MOST_ANSWER_CHARS, 'characters of text');
    return [];
  }

  private think(chars: number): void {
    this.thoughtChars += chars;
    bounded(this.thoughtChars, MOST_ANSWER_CHARS, 'characters of thought');
  }

  private reasoning(thought: string): ChatChunk[] {
    return thought === '' ? [] : this.delta({ reasoning_content: thought }, '');
  }

  private input(open: OpenBlock, json: string): ChatChunk[] {
    if (json === '') return [];
    open.told = true;
    return this.delta(open.call < 0 ? { content: json } : this.callDelta(open.call, { arguments: json }), '');
  }

  private callDelta(index: number, called: Record<string, string>, id?: string): Record<string, unknown> {
    if (this.shape.functions) return { function_call: called };
    return { tool_calls: [{ index, ...(id !== undefined && { id, type: 'function' }), function: called }] };
  }

  /** The first chunk tells the role, as OpenAI's does; its content is null where the answer begins with a call. */
  private delta(delta: Record<string, unknown>, emptyContent: '' | null): ChatChunk[] {
    const role = this.roleTold ? [] : [this.roleChunk(emptyContent)];
    return [...role, { ...this.chunkHead(), choices: [{ index: 0, delta, finish_reason: null }] }];
  }

  private roleChunk(content: '' | null): ChatChunk {
    this.roleTold = true;
    return { ...this.chunkHead(), choices: [{ index: 0, delta: { role: 'assistant', content, refusal: null }, finish_reason: null }] };
  }

  private chunkHead(): Pick<ChatChunk, 'id' | 'object' | 'created' | 'model'> {
    return { id: this.head.id, object: 'chat.completion.chunk', created: this.context.createdS, model: this.head.model };
  }
}

function parsedEvent(event: SseEvent): JsonObject {
  let data: unknown;
  try {
    data = boundedJson(event.data);
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
  if (!isObject(data)) throw new AttemptFailure('malformed');
  return data;
}
