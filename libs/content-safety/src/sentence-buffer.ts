import type { Side } from './action.ts';
import type { Inspector } from './inspector.ts';
import type { Match } from './redaction.ts';

/** Text that may go out, and the matches in it: places count from its start. */
export interface Piece {
  text: string;
  matches: Match[];
}

/** Without a sentence's end, so much is held back before a part of it goes out. */
const MAX_SENTENCE = 400;
/** Above this a part goes out also where numbers or assignments stand on both sides of a blank. */
const MAX_DENSE = 1600;
/** Words longer than this are not looked at whole. */
const MAX_WORD = 64;
/** No match of a detector has a blank so far into it, nor needs so many characters to be known as one. */
const DETECTOR_REACH = 256;
/** Held text above this is cut wherever no match is open. */
const MAX_HELD = 8192;
/** A quarter of what is held. */
const SMALLEST_PART = 4;
/** Characters, before places to cut are looked for again. */
const SHORTEST_WAIT = 16;
/** Of a match longer than `MAX_HELD`, what is kept of its beginning. The rest will be redacted whatever it is. */
const MATCH_HEAD = 1024;
/** Text that has gone out and is kept to look back at: a name is as long, with what stands between it and its value. */
export const CONTEXT = 128;

const NOTHING: Piece = Object.freeze({ text: '', matches: [] });

const LOUD = '0123456789:=';

const FIRST_EAST_ASIAN = 0x2e80;

/**
 * Holds back a growing text until it is certain what is in it. Text goes out up to the end of a sentence (or, in a long one, up to a
 * blank), and never up to a place inside of a match, or of what the text's continuation could make one.
 */
export class SentenceBuffer {
  private readonly inspector: Inspector;
  private readonly side: Side;
  /** At most `CONTEXT` characters that have gone out, then what is held back. */
  private text = '';
  private from = 0;
  /** The last end of a sentence in `text`. */
  private sentence = 0;
  private watched = 0;
  /** Below this length nothing has changed that could let text go out. */
  private waitUntil = 0;

  constructor(inspector: Inspector, side: Side) {
    this.inspector = inspector;
    this.side = side;
  }

  push(delta: string): Piece {
    this.text += delta;
    this.watch();
    if (this.text.length < this.waitUntil) return NOTHING;
    const limit = this.limit();
    const held = this.text.length - this.from;
    const long = held > MAX_SENTENCE;
    // All that is held is read to let out a part of it: of much, a small part is not worth it.
    if (limit <= this.from || (long && (limit - this.from) * SMALLEST_PART < held)) {
      if (long) this.waitUntil = this.text.length + SHORTEST_WAIT;
      return NOTHING;
    }
    const matches = this.matches(false);
    const cut = this.cutBefore(limit, matches);
    if (cut > this.from) return this.release(cut, matches);
    this.shorten(matches);
    // Reading all of it again for each few characters would be quadratic.
    this.waitUntil = this.text.length + Math.max(SHORTEST_WAIT, (this.text.length - this.from) >> 2);
    return NOTHING;
  }

  /** What is left. The text ends here. */
  flush(): Piece {
    return this.release(this.text.length, this.matches(true));
  }

  private matches(final: boolean): Match[] {
    return this.inspector.matches(this.text, this.side, { from: this.from, final });
  }

  /** Finds ends of sentences in what is new. The last character waits: what follows a full stop decides. */
  private watch(): void {
    for (; this.watched < this.text.length; this.watched++) {
      if (this.watched >= this.from && isSentenceEnd(this.text, this.watched)) this.sentence = this.watched + 1;
    }
  }

  /** Up to where text may go out if no match is in the way; `from` or less when nothing may. */
  private limit(): number {
    const held = this.text.length - this.from;
    const reach = this.inspector.reach(this.side);
    const sentence = reach === 0 ? this.sentence : this.boundaryBefore(Math.min(this.sentence, this.text.length - reach), isSentenceEnd);
    if (held <= MAX_SENTENCE) return sentence;
    const safe = this.text.length - Math.max(DETECTOR_REACH, reach);
    const gap = Math.max(sentence, this.boundaryBefore(safe, this.gapKind()));
    return gap > this.from || held <= MAX_HELD ? gap : this.wholeCharacters(safe);
  }

  private gapKind(): typeof isGap {
    return this.text.length - this.from > MAX_DENSE ? isGap : isQuietGap;
  }

  private boundaryBefore(place: number, isBoundary: (text: string, at: number) => boolean): number {
    let at = place;
    while (at > this.from && !isBoundary(this.text, at - 1)) at--;
    return at;
  }

  /** The last place up to `limit` where text may be cut: outside of every match, after a blank. */
  private cutBefore(limit: number, matches: Match[]): number {
    let cut = limit;
    // Backwards by start: moving before one match may move into an earlier one.
    for (const match of matches.toReversed()) {
      const ended = match.sureUntil === undefined && match.end <= cut;
      if (match.start >= cut || ended) continue;
      if (match.action === 'flag' && this.text.length - this.from > MAX_HELD) continue;
      cut = this.boundaryBefore(match.start, this.gapKind());
    }
    return cut;
  }

  private release(cut: number, matches: Match[]): Piece {
    const text = this.text.slice(this.from, cut);
    const within = matches.filter((match) => match.start < cut).map((match) => ({ ...match, start: match.start - this.from, end: Math.min(match.end, cut) - this.from }));
    const drop = Math.max(0, cut - CONTEXT);
    this.text = this.text.slice(drop);
    this.from = cut - drop;
    this.watched -= drop;
    this.sentence = Math.max(0, this.sentence - drop);
    this.waitUntil = 0;
    return { text, matches: within };
  }

  /** Takes the middle out of a match that has outgrown everything: it is certain to be redacted, and its ends are enough to see it whole. */
  private shorten(matches: Match[]): void {
    if (this.text.length - this.from <= MAX_HELD) return;
    for (const match of matches) {
      const first = match.start + MATCH_HEAD;
      const last = (match.sureUntil ?? match.end) - MATCH_HEAD;
      if (match.action === 'flag' || last <= first) continue;
      this.text = this.text.slice(0, first) + this.text.slice(last);
      this.watched = this.text.length;
      this.sentence = Math.min(this.sentence, first);
      return;
    }
  }

  /** Not between the halves of a surrogate pair. */
  private wholeCharacters(at: number): number {
    const code = this.text.charCodeAt(at);
    return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
  }
}

/** Whether a sentence ends with the character at `at`: a line break, a full-width stop, or the blank after a stop. */
function isSentenceEnd(text: string, at: number): boolean {
  const character = text[at] ?? '';
  if (character === '\n' || '。！？'.includes(character)) return character !== '';
  return (character === ' ' || character === '\t') && '.!?'.includes(text[at - 1] ?? '_');
}

/** Whether the place after `at` is between words. No detector's matches hold East Asian characters. */
function isGap(text: string, at: number): boolean {
  const character = text[at] ?? '';
  return character === ' ' || character === '\n' || character === '\t' || character === '\r' || text.charCodeAt(at) >= FIRST_EAST_ASIAN && !isSurrogate(text.charCodeAt(at));
}

/**
 * A gap with ordinary words on both sides. What redaction lays bare is not known before it is done: a phone number may end where a card
 * number begins. With digits, colons and equals signs at a distance there is nothing that it could lay bare across the gap.
 */
function isQuietGap(text: string, at: number): boolean {
  if (!isGap(text, at)) return false;
  let first = at;
  while (first >= 0 && at - first < MAX_WORD && isGap(text, first)) first--;
  for (let n = 0; n < MAX_WORD && first - n >= 0 && !isGap(text, first - n); n++) {
    if (LOUD.includes(text[first - n] ?? '')) return false;
  }
  let next = at + 1;
  while (next < text.length && next - at < MAX_WORD && isGap(text, next)) next++;
  for (let n = 0; n < MAX_WORD && next + n < text.length && !isGap(text, next + n); n++) {
    if (LOUD.includes(text[next + n] ?? '')) return false;
  }
  return true;
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}
