import { AttemptFailure } from '../../attempt/failure.ts';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { CompletionUsage } from '../../chat/completion.ts';
import type { ChatChunk, ChatStreamTranslator, TranslationContext } from '../dialect.ts';
import type { SseEvent } from '../sse.ts';
import { bounded, MOST_CHOICES } from '../stream-bounds.ts';
import { CandidateReader, logprobsOf } from './candidate.ts';
import { geminiFailure } from './failure.ts';
import { blockReason, indexOf, isGenerateContentReply, isObject, objectsOf, type GenerateContentReply } from './generate-content.ts';
import { callIdStem, headOf, refusalOf, usageIn } from './generate-content-to-chat.ts';
import { boundedJson } from '../bounded-json.ts';

/**
 * A `streamGenerateContent?alt=sse` stream as chunks. Gemini has no last event: the stream is complete when the connection
 * ends after every candidate said why it ended, so the reasons and the usage are told only then.
 */
export class GenerateContentStreamTranslator implements ChatStreamTranslator {
  readonly ended = false;
  private readonly candidates = new Map<number, CandidateReader>();
  private head: ReturnType<typeof headOf> | null = null;
  private blocked = false;
  private usage: CompletionUsage | null = null;

  constructor(
    private readonly body: ChatBody,
    private readonly context: TranslationContext,
  ) {}

  push(event: SseEvent): ChatChunk[] {
    const reply = replyIn(event);
    this.head ??= headOf(reply, this.context);
    this.usage = usageIn(reply.usageMetadata) ?? this.usage;
    const chunks = objectsOf(reply.candidates).flatMap((candidate, position) => this.take(candidate, position));
    const reason = blockReason(reply);
    if (reason === null || this.candidates.size > 0 || this.blocked) return chunks;
    this.blocked = true;
    return [this.chunk(0, { role: 'assistant', content: '', refusal: refusalOf(reason) }, null)];
  }

  finish(): ChatChunk[] {
    const readers = [...this.candidates.values()].sort((a, b) => a.index - b.index);
    const complete = this.blocked || (readers.length > 0 && readers.every((reader) => reader.finish !== null));
    if (!complete) throw new AttemptFailure('network', { cause: new Error('the stream ended before the answer did') });
    const last = readers.map((reader) => this.chunk(reader.index, reader.closing(), reader.finish));
    if (readers.length === 0) last.push(this.chunk(0, {}, 'content_filter'));
    if (this.usage !== null) last.push({ ...this.chunk(0, {}, null), choices: [], usage: this.usage });
    return last;
  }

  private take(candidate: Record<string, unknown>, position: number): ChatChunk[] {
    const index = indexOf(candidate, position);
    const known = this.candidates.get(index);
    const reader = known ?? new CandidateReader(index, callIdStem(this.head?.id ?? ''), this.body.parallel_tool_calls === false);
    this.candidates.set(index, reader);
    bounded(this.candidates.size, MOST_CHOICES, 'candidates');
    const delta = { ...(known === undefined && { role: 'assistant' }), ...reader.read(candidate) };
    const logprobs = logprobsOf(candidate);
    if (Object.keys(delta).length === 0 && logprobs === null) return [];
    const chunk = this.chunk(index, delta, null);
    return [logprobs === null ? chunk : { ...chunk, choices: chunk.choices.map((choice) => ({ ...choice, logprobs })) }];
  }

  private chunk(index: number, delta: Record<string, unknown>, finish: string | null): ChatChunk {
    const head = this.head ?? headOf({}, this.context);
    return { ...head, object: 'chat.completion.chunk', choices: [{ index, delta, finish_reason: finish }] };
  }
}

function replyIn(event: SseEvent): GenerateContentReply {
  let value: unknown;
  try {
    value = boundedJson(event.data);
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
  const only = Array.isArray(value) ? value[0] : value; // an error may come as a list of one
  if (isObject(only) && isObject(only['error'])) {
    const { code } = only['error'];
    throw geminiFailure(typeof code === 'number' ? code : 500, {}, event.data);
  }
  if (!isGenerateContentReply(value)) throw new AttemptFailure('malformed');
  return value;
}
