import type { Usage } from '@deja/contracts';
import { bounded, MAX_HELD_CHARS, MAX_HELD_WITH_ALL, MOST_CHOICES, MOST_HEAD_NAMES, MOST_INDEXED } from '../dialects/stream-bounds.ts';
import type { Said } from '../attempt/answer-tokens.ts';
import { usageOf, type ChatCompletion, type CompletionChoice, type CompletionUsage } from './completion.ts';
import { saidInCompletion } from './said.ts';

interface Chunk {
  choices?: { index?: number; delta?: Record<string, unknown>; finish_reason?: string | null; [field: string]: unknown }[];
  usage?: CompletionUsage | null;
  error?: unknown;
  [field: string]: unknown;
}

/** What one chunk means for the one who relays it. */
export type ChunkKind = 'content' | 'preamble' | 'usage' | 'error';

/** Puts the chunks of a streamed chat completion together again, so that a stream can be counted, kept and replayed. */
export class CompletionAssembler {
  private head: Record<string, unknown> = {};
  private readonly choices = new Map<number, CompletionChoice>();
  private lastUsage: CompletionUsage | null = null;
  /** Of all that is held, text or not; as JSON it is a little longer. */
  private heldChars = 0;
  private headNames = 0;
  /** Characters of text produced so far. */
  producedChars = 0;
  /** The answer grew too long to be held: it is still counted, but cannot be put together any more. */
  tooLong = false;

  /** Takes one chunk (already parsed JSON) and says what it is; `error` for anything that is no chunk. */
  add(parsed: unknown): ChunkKind {
    if (typeof parsed !== 'object' || parsed === null) return 'error';
    const chunk = parsed as Chunk;
    if (chunk.error !== undefined && chunk.error !== null) return 'error';
    if (!Array.isArray(chunk.choices)) return 'error';
    const { choices, usage } = chunk;
    // A loop, and no rest of an object: this runs for every piece of every answer.
    for (const name in chunk) if (!APART.has(name)) this.keep(name, chunk[name]);
    if (usage) this.lastUsage = usage;
    if (choices.length === 0) return usage ? 'usage' : 'preamble';
    let content = false;
    for (const choice of choices) content = this.addChoice(choice) || content;
    return content ? 'content' : 'preamble';
  }

  get usage(): Usage | null {
    return usageOf(this.lastUsage);
  }

  /** What the chunks said besides their choices, with the last usage: where servers report what they used. */
  get reported(): Readonly<Record<string, unknown>> {
    return { ...this.head, usage: this.lastUsage };
  }

  /** Whether every choice seen has said why it ended. */
  get finished(): boolean {
    return this.choices.size > 0 && [...this.choices.values()].every((choice) => choice.finish_reason !== null);
  }

  /** The whole reply that the provider would have given without `stream`. */
  completion(): ChatCompletion {
    const choices = [...this.choices.values()].sort((a, b) => a.index - b.index).map((choice) => ({ ...choice, message: wholeMessage(choice.message) }));
    return { ...this.head, object: 'chat.completion', choices, ...(this.lastUsage && { usage: this.lastUsage }) };
  }

  /** What was said so far. */
  said(): Said {
    return this.tooLong ? { texts: [], otherChars: this.producedChars } : { texts: saidInCompletion({ choices: [...this.choices.values()] }), otherChars: 0 };
  }

  private keep(name: string, value: unknown): void {
    if (value === null || value === '') return;
    const isNew = !Object.hasOwn(this.head, name);
    if (isNew) bounded(++this.headNames, MOST_HEAD_NAMES, 'names beside its choices');
    // Most chunks repeat a few short values.
    const chars = typeof value === 'object' ? sizeOf(value) : typeof value === 'string' && value.length > SHORT_CHARS ? value.length : 0;
    this.hold(chars + (isNew ? name.length : 0));
    if (!this.tooLong || chars <= KEPT_CHARS) this.head[name] = value;
  }

  private hold(chars: number): void {
    this.heldChars += chars;
    if (this.heldChars > MAX_HELD_WITH_ALL && !this.tooLong) this.letGo();
  }

  private letGo(): void {
    this.tooLong = true;
    for (const { index, finish_reason: finish } of this.choices.values()) this.choices.set(index, { index, message: { role: 'assistant', content: null }, finish_reason: finish });
  }

  private addChoice(chunk: NonNullable<Chunk['choices']>[number]): boolean {
    const { index = 0, delta, finish_reason: finish } = chunk;
    let choice = this.choices.get(index);
    if (!choice) {
      choice = { index, message: { role: 'assistant', content: null }, finish_reason: null };
      this.choices.set(index, choice);
      bounded(this.choices.size, MOST_CHOICES, 'choices');
    }
    if (!this.tooLong) this.hold(mergeDelta(choice, chunk, APART_OF_CHOICE));
    if (finish) choice.finish_reason = finish;
    if (!delta) return Boolean(finish);
    if (!this.tooLong) this.hold(mergeDelta(choice.message, delta));
    let produced = 0;
    for (const name in delta) {
      const value = delta[name];
      if (typeof value === 'string' && name !== 'role') produced += value.length;
    }
    const calls = Array.isArray(delta['tool_calls']) && delta['tool_calls'].length > 0;
    this.producedChars += produced + (calls ? JSON.stringify(delta['tool_calls']).length : 0);
    if (this.producedChars > MAX_HELD_CHARS && !this.tooLong) this.letGo();
    return produced > 0 || calls || Boolean(finish);
  }
}

/** Members that are not merged, of a chunk, a choice, and what stands in these. `__proto__` would be the object's prototype. */
const APART: ReadonlySet<string> = new Set(['choices', 'usage', '__proto__']);
const APART_OF_CHOICE: ReadonlySet<string> = new Set(['index', 'delta', 'finish_reason', '__proto__']);
const APART_OF_DELTA: ReadonlySet<string> = new Set(['__proto__']);

/** A value in the head of a chunk that is not worth counting. */
const SHORT_CHARS = 256;
/** What is kept of the head of an answer that is not held: some servers report there what they used. */
const KEPT_CHARS = 4096;
/** What a member or an item of a list takes besides its text. */
const VALUE_CHARS = 16;

const sizeOf = (value: unknown): number => (typeof value === 'string' ? value.length : typeof value === 'object' && value !== null ? JSON.stringify(value).length : VALUE_CHARS);

/**
 * Strings grow, indexed lists are merged by `index`, everything else is replaced: how every OpenAI-like delta is meant. Returns by how much the target
 * grew, about, in characters. Throws an AttemptFailure `malformed` for a list with an absurd number of indexed items.
 */
function mergeDelta(target: Record<string, unknown>, delta: Record<string, unknown>, apart: ReadonlySet<string> = APART_OF_DELTA): number {
  let grown = 0;
  for (const name in delta) {
    const value = delta[name];
    if (value === null || value === undefined || apart.has(name)) continue;
    const known = Object.hasOwn(target, name) ? target[name] : undefined;
    if (known === undefined) grown += name.length + VALUE_CHARS;
    if (typeof value === 'string' && typeof known === 'string' && !FIXED.has(name)) {
      target[name] = known + value;
      grown += value.length;
    } else if (Array.isArray(value)) {
      const list: unknown[] = Array.isArray(known) ? known : [];
      grown += mergeList(list, value);
      target[name] = list;
    } else if (typeof value === 'object') {
      const object = typeof known === 'object' && known !== null ? (known as Record<string, unknown>) : {};
      grown += mergeDelta(object, value as Record<string, unknown>);
      target[name] = object;
    } else {
      target[name] = value;
      if (typeof value === 'string') grown += value.length;
    }
  }
  return grown;
}

/** Names whose value is said once or repeated, never continued. */
const FIXED = new Set(['role', 'type', 'id', 'finish_reason', 'index']);

function mergeList(known: unknown[], added: unknown[]): number {
  let grown = 0;
  for (const item of added) {
    const index = indexOf(item);
    if (index !== undefined) bounded(known.length, MOST_INDEXED, 'indexed items in a list');
    const same = index === undefined ? undefined : known.find((other) => indexOf(other) === index);
    if (same === undefined) {
      known.push(structuredClone(item));
      grown += sizeOf(item) + VALUE_CHARS;
    } else grown += mergeDelta(same as Record<string, unknown>, item as Record<string, unknown>);
  }
  return grown;
}

function indexOf(item: unknown): unknown {
  return typeof item === 'object' && item !== null ? (item as { index?: unknown }).index : undefined;
}

/** Tool calls carry an index only while they are streamed. */
function wholeMessage(message: Record<string, unknown>): Record<string, unknown> {
  const calls = message['tool_calls'];
  if (!Array.isArray(calls)) return message;
  return { ...message, tool_calls: calls.map(({ index: _index, ...call }: Record<string, unknown>) => call) };
}
