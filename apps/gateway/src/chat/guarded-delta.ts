import { AttemptFailure } from '../attempt/failure.ts';
import type { AnswerRules, HeldText } from '../guard/answer-rules.ts';
import { ownMember, setMember } from '../dialects/own-members.ts';
import { bounded, MOST_HELD_TEXTS } from '../dialects/stream-bounds.ts';
import { isText } from '../guard/texts.ts';

type Fields = Record<string, unknown>;
/** Where in a delta a text stands: names of members, and for an item of a list what tells it from the others. */
type Place = readonly (string | Fields)[];

/** Members that say more with every chunk; a string of any other name is whole as it comes. */
const GROWING = new Set(['content', 'refusal', 'reasoning_content', 'reasoning', 'arguments', 'input', 'transcript', 'text', 'thinking', 'summary']);
/** Members that come whole, whatever is in them. */
const WHOLE = new Set(['annotations']);

/** What one choice says in its deltas, held back until it may be sent. */
export class GuardedDelta {
  private readonly held = new Map<string, { place: Place; text: HeldText }>();

  constructor(
    private readonly rules: AnswerRules,
    /** Is told how many characters are taken in, and, below 0, given out. */
    private readonly count: (chars: number) => void,
  ) {}

  /** The delta as far as it may be sent: always a new object. */
  push(delta: unknown): Fields {
    if (delta === undefined || delta === null) return {};
    if (!isObject(delta)) throw new AttemptFailure('malformed');
    return this.members(delta, []);
  }

  /** Puts what is still held into this delta; whether there was anything. */
  flush(delta: Fields): boolean {
    let found = false;
    for (const { place, text } of this.held.values()) {
      const rest = this.given(text.flush());
      if (rest === '') continue;
      append(delta, place, rest);
      found = true;
    }
    return found;
  }

  private members(fields: Fields, place: Place): Fields {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, this.member(name, value, [...place, name])]));
  }

  private member(name: string, value: unknown, place: Place): unknown {
    if (typeof value === 'string' && GROWING.has(name)) return this.take(value, place);
    if (typeof value === 'string' || WHOLE.has(name)) return isText(name) ? this.rules.all(value) : value;
    if (Array.isArray(value)) return value.map((item: unknown) => (isObject(item) ? this.members(item, [...place, identityOf(item)]) : this.rules.all(item)));
    return isObject(value) ? this.members(value, place) : value;
  }

  private take(piece: string, place: Place): string {
    const key = JSON.stringify(place.map((step) => (typeof step === 'string' ? step : [step['index'] ?? step['type'] ?? null])));
    const held = this.held.get(key) ?? { place, text: this.rules.pieces() };
    this.held.set(key, held);
    bounded(this.held.size, MOST_HELD_TEXTS, 'texts in one choice');
    this.count(piece.length); // before the rules see it: what they block was produced all the same
    return this.given(held.text.push(piece));
  }

  private given(text: string): string {
    this.count(-text.length);
    return text;
  }
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Pieces of one thing in a list have its index; where there is none, those of a kind go on with each other. */
const identityOf = ({ index, type }: Fields): Fields => ({ ...(index !== undefined && { index }), ...(type !== undefined && { type }) });

const isSame = (item: unknown, identity: Fields): boolean => isObject(item) && ('index' in identity ? item['index'] === identity['index'] : item['type'] === identity['type']);

/** Adds a text at its place: to the text that is there, or in a new item of the same kind. */
function append(fields: Fields, [step, ...rest]: Place, text: string): void {
  if (typeof step !== 'string') return;
  const [next] = rest;
  const known = ownMember(fields, step);
  if (next === undefined) setMember(fields, step, (typeof known === 'string' ? known : '') + text);
  else if (typeof next === 'string') {
    const inner = isObject(known) ? known : {};
    setMember(fields, step, inner);
    append(inner, rest, text);
  } else {
    const list: unknown[] = Array.isArray(known) ? known : [];
    const item = (list.findLast((other) => isSame(other, next)) ?? { ...next }) as Fields;
    if (!list.includes(item)) list.push(item);
    setMember(fields, step, list);
    append(item, rest.slice(1), text);
  }
}
