import { RE2JS } from 're2js';
import { ALT, ALT_MATCH, FAILS, MATCHES, ProgramReader, programOf, READS_FROM, READS_UNTIL, type Instruction, type Program } from './program-reader.ts';
import { placeholderAt, placeholdersIn } from './redaction.ts';
import type { Scan, Span } from './scan.ts';
import type { Work } from './work.ts';

/** A match this long is found in a stream for certain, and is the longest that may be redacted. UTF-16 units. */
export const LONGEST_MATCH = 1000;

/** A program of more instructions than this is no sane pattern: each character of a text may be held against all of them. `\w{1,1000}` has 2,002, a list of a thousand words some ten thousand. */
export const MOST_INSTRUCTIONS = 25_000;

/** Characters that the library reads at once, at most; and of a large program so many that characters times instructions stay below this. */
const LARGEST_WINDOW = 4096;
const LARGEST_WINDOW_WORK = 2 ** 18;
/** Between two pauses no more than that, where match follows match; and what each of them takes besides. */
const TURN_WORK = 2 ** 17;
const MATCH_WORK = 500;

/**
 * One pattern of the operator's, compiled. RE2 matches in linear time: no text can make it slow (RE2 syntax, github.com/google/re2/wiki/Syntax).
 * Linear is not short: at ten microseconds a character a large text takes seconds. So a text is read in windows, as long as whatever may
 * match there fits into one, and else by a reader of our own; between them, and in the middle of that one, the work can be left off.
 */
export class DenyPattern {
  private readonly pattern: RE2JS;
  /** How many the compiled program has. */
  readonly instructions: number;
  /** The longest text it can match, in UTF-16 units; Infinity when there is no longest. */
  readonly longest: number;
  /** In a window of so many characters every match that begins is seen whole; null where matches are too long for that. */
  private readonly window: number | null;
  private readonly reader: ProgramReader;

  /** Throws what RE2JS throws when the pattern is none. */
  constructor(pattern: string) {
    this.pattern = RE2JS.compile(pattern);
    const program = programOf(this.pattern);
    this.instructions = program.inst.length;
    this.longest = this.instructions > MOST_INSTRUCTIONS ? Infinity : longestMatch(program);
    this.window = windowOf(this.instructions, this.longest);
    this.reader = new ProgramReader(program);
  }

  matchesNothingAtAll(): boolean {
    return this.pattern.test('');
  }

  /** The first match. */
  *findFirst(scan: Scan): Work<Span[]> {
    const span = yield* this.next(scan, scan.from);
    return span === null ? [] : [span];
  }

  /** Every match that is to be redacted. What lies across or beside a placeholder was redacted already and is left as it is. */
  *findAll(scan: Scan): Work<Span[]> {
    const { text, from } = scan;
    const spans: Span[] = [];
    let placeholders: Span[] | null = null;
    let work = 0;
    for (let at = from; at <= text.length; ) {
      const span = yield* this.next(scan, at);
      if (span === null) break;
      work += MATCH_WORK + (span.end - at) * this.instructions;
      if (work > TURN_WORK) {
        work = 0;
        yield;
      }
      placeholders ??= placeholdersIn(text);
      const mark = placeholderAt(placeholders, span);
      if (!mark && span.end > span.start) spans.push(span);
      at = mark ? Math.max(mark.end, span.start + 1) : Math.max(span.end, at + 1);
    }
    return spans;
  }

  /** The first match that begins at `from` or later. */
  private *next(scan: Scan, from: number): Work<Span | null> {
    if (this.window === null) return yield* this.reader.find(scan, from);
    const { text } = scan;
    for (let at = from; at <= text.length; ) {
      const until = wholeCharacters(text, at + this.window);
      const span = this.inWindow(scan, at, wholeCharacters(text, until + this.longest + 1));
      if (span !== null && span.start < until) return span;
      if (until > text.length) break;
      at = until;
      yield;
    }
    return null;
  }

  /** That there is no match is known without looking for its place, which is many times faster. */
  private inWindow(scan: Scan, from: number, to: number): Span | null {
    const before = Math.max(0, from - 1); // what stands there says whether a word or a line begins
    const piece = scan.text.slice(before, to);
    const matcher = this.pattern.test(piece) ? this.pattern.matcher(piece) : null;
    const found = matcher?.find(from - before) ? { start: matcher.start() + before, end: matcher.end() + before } : null;
    scan.steps += 2 * ((found?.end ?? to) - from); // both stop at the first match
    return found;
  }
}

function windowOf(instructions: number, longest: number): number | null {
  const read = Math.min(LARGEST_WINDOW, Math.floor(LARGEST_WINDOW_WORK / instructions));
  // Where less than half of what is read is new, little would be won.
  return 2 * longest < read ? read - longest : null;
}

/** The place, or the one after it where it is in the middle of a surrogate pair. */
function wholeCharacters(text: string, at: number): number {
  const isPair = (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  return isPair ? at + 1 : at;
}

/** The longest way through the program. A loop in it is no longest. */
function longestMatch({ inst: program, start }: Program): number {
  const known = new Map<number, number>();
  const open = new Set<number>();
  const after = (instruction: Instruction): number[] => (instruction.op === ALT || instruction.op === ALT_MATCH ? [instruction.out, instruction.arg] : [instruction.out]);
  const stack = [start];
  while (stack.length > 0) {
    const pc = stack.at(-1) ?? start;
    const instruction = program[pc];
    if (!instruction || instruction.op === MATCHES || instruction.op === FAILS || known.has(pc)) {
      known.set(pc, known.get(pc) ?? 0);
      stack.pop();
      continue;
    }
    const next = after(instruction);
    if (!open.has(pc)) {
      open.add(pc);
      if (next.some((to) => open.has(to) && !known.has(to))) return Infinity;
      stack.push(...next.filter((to) => !known.has(to)));
      continue;
    }
    known.set(pc, Math.max(...next.map((to) => known.get(to) ?? 0)) + unitsRead(instruction));
    stack.pop();
  }
  return known.get(start) ?? 0;
}

/** A character outside of the basic plane has two units. */
function unitsRead({ op, runes }: Instruction): number {
  if (op < READS_FROM || op > READS_UNTIL) return 0;
  return runes.length === 0 || runes.some((rune) => rune > 0xffff) ? 2 : 1;
}
