import type { RE2JS } from 're2js';
import type { Scan, Span } from './scan.ts';
import type { Work } from './work.ts';

/** What an instruction of a compiled pattern does. */
export const ALT = 1;
export const ALT_MATCH = 2;
const WHERE = 4;
export const FAILS = 5;
export const MATCHES = 6;
const NOTHING = 7;
export const READS_FROM = 8;
const READS_ONE = 9;
const READS_ANY = 10;
const READS_ANY_IN_LINE = 11;
export const READS_UNTIL = READS_ANY_IN_LINE;

export interface Instruction {
  op: number;
  out: number;
  /** Where else it goes on, or what has to hold of the place. */
  arg: number;
  /** Ranges of code points; empty where any character will do. */
  runes: Int32Array;
  matchRune(rune: number): boolean;
}

export interface Program {
  inst: Instruction[];
  start: number;
}

export const programOf = (pattern: RE2JS): Program => pattern.re2().prog;

/** What can hold of a place, as bits. */
const LINE_BEGINS = 1;
const LINE_ENDS = 2;
const TEXT_BEGINS = 4;
const TEXT_ENDS = 8;
const AT_WORD_EDGE = 16;
const INSIDE_OR_OUTSIDE = 32;

const NOWHERE = -1;
const NEWLINE = 10;
const ASCII = 128;
/** Steps between two places where the work may be left off: some milliseconds. */
const STEPS_A_TURN = 100_000;

/** Ways through the program that are open at one place, the preferred ones first; each knows where in the text it began. */
class Ways {
  size = 0;
  readonly at: Int32Array;
  readonly began: Int32Array;
  private readonly place: Int32Array;

  constructor(length: number) {
    this.at = new Int32Array(length);
    this.began = new Int32Array(length);
    this.place = new Int32Array(length);
  }

  has(pc: number): boolean {
    const place = this.place[pc] ?? 0;
    return place < this.size && this.at[place] === pc;
  }

  add(pc: number, began: number): void {
    this.place[pc] = this.size;
    this.at[this.size] = pc;
    this.began[this.size] = began;
    this.size++;
  }
}

/**
 * Reads a text along a compiled pattern, all ways at once (Pike's machine: Russ Cox, "Regular Expression Matching: the Virtual Machine
 * Approach", 2009). It finds what RE2 finds, and unlike the library it can be left off in the middle of a text. The work is at most the
 * text's length times the program's.
 */
export class ProgramReader {
  private readonly program: Instruction[];
  private readonly start: number;
  /** ASCII characters with which a match can begin; null where one can begin without a character. */
  private readonly first: Uint8Array | null;
  /** Lists that no search is using. */
  private readonly spare: [Ways, Ways][] = [];
  private readonly open: Int32Array;

  constructor({ inst, start }: Program) {
    this.program = inst;
    this.start = start;
    this.open = new Int32Array(inst.length + 1);
    this.first = this.firstCharacters();
  }

  /** The first match that begins at `from` or later. */
  *find(scan: Scan, from: number): Work<Span | null> {
    const lists = this.spare.pop() ?? [new Ways(this.program.length), new Ways(this.program.length)];
    const found = yield* this.along(scan, from, ...lists);
    this.spare.push(lists);
    return found;
  }

  private *along(scan: Scan, from: number, first: Ways, second: Ways): Work<Span | null> {
    const { text } = scan;
    let [now, next] = [first, second];
    now.size = 0;
    let found: Span | null = null;
    let turn = 0;
    for (let at = from; ; ) {
      if (now.size === 0) {
        if (found !== null || at > text.length) return found;
        const to = this.skipped(text, at);
        scan.steps += to - at;
        at = to;
      }
      // While ways are open that began earlier, one that begins here comes after them; when one of them has matched, none begins any more.
      if (found === null) this.follow(now, this.start, at, placeOf(text, at));
      const rune = text.codePointAt(at) ?? -1;
      const then = at + (rune > 0xffff ? 2 : 1);
      const place = placeOf(text, then);
      scan.steps += now.size;
      turn += now.size;
      next.size = 0;
      for (let i = 0; i < now.size; i++) {
        const instruction = this.program[now.at[i] ?? 0];
        if (instruction === undefined) continue;
        const began = now.began[i] ?? 0;
        if (instruction.op === MATCHES) {
          found = { start: began, end: at };
          break; // whatever comes after it is less preferred
        }
        if (rune >= 0 && reads(instruction, rune)) this.follow(next, instruction.out, began, place);
      }
      [now, next] = [next, now];
      at = then;
      if (turn < STEPS_A_TURN) continue;
      turn = 0;
      yield;
    }
  }

  /** Opens every way on from `pc` that reads no character, in order of preference. */
  private follow(ways: Ways, pc: number, began: number, place: number): void {
    const { open } = this;
    let left = 0;
    for (let at = pc; ; at = open[--left] ?? 0) {
      for (let on = at; on >= 0 && !ways.has(on); ) {
        const instruction = this.program[on];
        if (instruction === undefined || instruction.op === FAILS) break;
        ways.add(on, began);
        if (instruction.op === ALT || instruction.op === ALT_MATCH) open[left++] = instruction.arg;
        on = goesOn(instruction, place) ? instruction.out : NOWHERE;
      }
      if (left === 0) return;
    }
  }

  /** From `at` on, the first place where a match may begin. */
  private skipped(text: string, from: number): number {
    const { first } = this;
    let at = from;
    if (first !== null) while (at < text.length && first[text.charCodeAt(at)] === 0) at++;
    return at;
  }

  private firstCharacters(): Uint8Array | null {
    const first = new Uint8Array(ASCII);
    const ways = new Ways(this.program.length);
    this.follow(ways, this.start, 0, ~0); // wherever it may be
    for (const pc of ways.at.subarray(0, ways.size)) {
      const instruction = this.program[pc];
      if (instruction === undefined) continue;
      if (instruction.op === MATCHES) return null;
      for (let rune = 0; rune < ASCII; rune++) if (reads(instruction, rune)) first[rune] = 1;
    }
    return first;
  }
}

/** Whether it goes on to `out` without reading a character. */
function goesOn({ op, arg }: Instruction, place: number): boolean {
  return op === WHERE ? (arg & ~place) === 0 : op < FAILS || op === NOTHING;
}

function reads(instruction: Instruction, rune: number): boolean {
  switch (instruction.op) {
    case READS_FROM:
      return instruction.matchRune(rune);
    case READS_ONE:
      return instruction.runes[0] === rune;
    case READS_ANY:
      return true;
    case READS_ANY_IN_LINE:
      return rune !== NEWLINE;
    default:
      return false;
  }
}

function placeOf(text: string, at: number): number {
  const before = at > 0 ? text.charCodeAt(at - 1) : -1;
  const after = at < text.length ? text.charCodeAt(at) : -1;
  let place = isWord(before) === isWord(after) ? INSIDE_OR_OUTSIDE : AT_WORD_EDGE;
  if (before < 0) place |= TEXT_BEGINS | LINE_BEGINS;
  else if (before === NEWLINE) place |= LINE_BEGINS;
  if (after < 0) place |= TEXT_ENDS | LINE_ENDS;
  else if (after === NEWLINE) place |= LINE_ENDS;
  return place;
}

/** RE2's `\b` knows ASCII words. */
const isWord = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95;
