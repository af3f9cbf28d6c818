import type { Usage } from '@deja/contracts';
import type { Said } from '../attempt/answer-tokens.ts';
import { NOTHING_STORED, type KeptReply, type Relayed, type StreamReader } from '../attempt/exchange.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import type { Transcript } from '../attempt/transcript.ts';
import { withoutUsage } from '../chat/chat-reader.ts';
import { streamError } from '../chat/stream-error.ts';
import type { CompletionUsage } from '../chat/completion.ts';
import { ownMember, setMember } from '../dialects/own-members.ts';
import { SSE_DONE, sseEvent, type SseEvent } from '../dialects/sse.ts';
import { bounded, MAX_HELD_CHARS, MOST_CHOICES, MOST_HEAD_NAMES, MOST_LOG_PROBS } from '../dialects/stream-bounds.ts';
import type { AnswerRules, HeldText } from '../guard/answer-rules.ts';
import { isStorableText, type TextChoice, type TextCompletion } from './text-completion.ts';
import { boundedJson } from '../dialects/bounded-json.ts';

/** The stream of a legacy completion: pieces of `choices[].text`. */
export class TextReader implements StreamReader {
  readonly closing = sseEvent(SSE_DONE);
  readonly storedIds = NOTHING_STORED;
  ended = false;
  producedChars = 0;
  private head: Record<string, unknown> = {};
  private rawUsage: CompletionUsage | null = null;
  private readonly choices = new Map<number, TextChoice>();
  private readonly guards = new Map<number, HeldText>();

  constructor(
    private readonly includeUsage: boolean,
    private readonly usageOf: (usage: CompletionUsage | null) => Usage | null,
    private readonly rules: AnswerRules | null,
    private readonly transcript: Transcript,
  ) {}

  get usage(): Usage | null {
    return this.usageOf(this.rawUsage);
  }

  push({ data }: SseEvent): Relayed {
    if (data === SSE_DONE) {
      this.ended = true;
      return this.rest();
    }
    const said = eventOf(data);
    const event = this.rules ? this.treatHead(said, this.rules) : said;
    const { choices, usage, ...head } = event;
    for (const [name, value] of Object.entries(head)) setMember(this.head, name, value);
    bounded(Object.keys(this.head).length, MOST_HEAD_NAMES, 'names beside its choices');
    if (usage) this.rawUsage = usage;
    if (choices.length === 0 && usage && !this.includeUsage) return { text: '', content: false };
    const treated = choices.map((choice) => this.take(choice));
    const own = event !== said || treated.some((choice, i) => choice !== choices[i]) ? JSON.stringify({ ...event, choices: treated }) : data;
    const json = this.includeUsage ? own : withoutUsage(event, own);
    return { text: sseEvent(json), content: choices.some(({ text, finish_reason: finish }) => text !== '' || Boolean(finish)) };
  }

  finish(): Relayed {
    throw new AttemptFailure('network', { cause: new Error('the stream ended before its time') });
  }

  said(): Said {
    if (this.producedChars > MAX_HELD_CHARS) return { texts: [], otherChars: this.producedChars };
    const texts = [...this.choices.values()].map(({ text }) => text);
    // Rules keep some of it back.
    return { texts, otherChars: this.rules === null ? 0 : Math.max(0, this.producedChars - texts.reduce((sum, { length }) => sum + length, 0)) };
  }

  takeText(): string {
    return this.transcript.take();
  }

  kept(): KeptReply | null {
    if (this.choices.size === 0) return null;
    const completion: TextCompletion = { ...this.head, choices: [...this.choices.values()].sort((a, b) => a.index - b.index), ...(this.rawUsage && { usage: this.rawUsage }) };
    return { body: Buffer.from(JSON.stringify(completion)), storable: this.producedChars <= MAX_HELD_CHARS && isStorableText(completion), complete: false };
  }

  /** What rules still hold back when the stream ends, of choices that never said why they ended or went on afterwards. */
  private rest(): Relayed {
    const choices: TextChoice[] = [];
    for (const [index, guard] of this.guards) {
      const text = guard.flush();
      if (text === '') continue;
      choices.push({ index, text, logprobs: null, finish_reason: null });
      this.transcript.add(text);
      const known = this.choices.get(index);
      if (known && this.producedChars <= MAX_HELD_CHARS) known.text += text;
    }
    if (choices.length === 0) return { text: '', content: false };
    return { text: sseEvent(JSON.stringify({ ...this.head, choices, ...(this.includeUsage && { usage: null }) })), content: true };
  }

  /** The piece as the client may see it; the very same object when no rule changes it. */
  private take(piece: TextChoice): TextChoice {
    this.producedChars += piece.text.length; // also what a rule keeps back was produced
    const treated = this.rules ? this.treat(piece, this.rules) : piece;
    const { text } = treated;
    this.transcript.add(text);
    const known = this.choices.get(piece.index);
    if (!known) {
      this.choices.set(piece.index, { ...treated, ...(treated.logprobs !== undefined && { logprobs: joinedLogprobs(null, treated.logprobs) }) });
      bounded(this.choices.size, MOST_CHOICES, 'choices');
    } else {
      if (this.producedChars <= MAX_HELD_CHARS) known.text += text;
      known.finish_reason = treated.finish_reason ?? known.finish_reason;
      known.logprobs = joinedLogprobs(known.logprobs, treated.logprobs);
    }
    return treated;
  }

  private treat(piece: TextChoice, rules: AnswerRules): TextChoice {
    const guard = this.guards.get(piece.index) ?? rules.pieces();
    this.guards.set(piece.index, guard);
    const text = guard.push(piece.text) + (typeof piece.finish_reason === 'string' ? guard.flush() : '');
    const others = { ...piece, text: '' };
    const treated = rules.withoutTokens(rules.all(others));
    return text === piece.text && treated === others ? piece : { ...treated, text };
  }

  private treatHead(event: TextCompletion, rules: AnswerRules): TextCompletion {
    const head = { ...event, choices: [] };
    const treated = rules.withoutTokens(rules.all(head));
    return treated === head ? event : { ...treated, choices: event.choices };
  }
}

function eventOf(data: string): TextCompletion {
  let event: unknown;
  try {
    event = boundedJson(data);
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
  const { choices, error } = (event ?? {}) as { choices?: unknown; error?: unknown };
  if (!Array.isArray(choices) || (error !== undefined && error !== null)) throw streamError(event);
  const sound = choices.every((choice: unknown) => typeof (choice as TextChoice | null)?.text === 'string');
  if (!sound) throw new AttemptFailure('malformed');
  return event as TextCompletion;
}

/** Log probabilities come as parallel lists; each piece has the next stretch of all of them. What was joined before is added to, so that a long answer does not cost its length squared. */
function joinedLogprobs(known: unknown, added: unknown): unknown {
  if (typeof added !== 'object' || added === null) return known;
  const joined: object = typeof known === 'object' && known !== null ? known : {};
  for (const [name, list] of Object.entries(added)) {
    const before = ownMember(joined, name);
    if (!Array.isArray(before) || !Array.isArray(list)) {
      setMember(joined, name, Array.isArray(list) ? [...(list as unknown[])] : list);
      continue;
    }
    bounded(before.length + list.length, MOST_LOG_PROBS, 'log probabilities');
    for (const item of list as unknown[]) before.push(item);
  }
  return joined;
}
