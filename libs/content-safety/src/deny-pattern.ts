import { RE2JS } from 're2js';
import { placeholderAt, placeholdersIn } from './redaction.ts';
import type { Scan, Span } from './scan.ts';

/** A match this long is found in a stream for certain, and is the longest that may be redacted. UTF-16 units. */
export const LONGEST_MATCH = 1000;

/** One pattern of the operator's, compiled. RE2 matches in linear time: no text can make it slow (RE2 syntax, github.com/google/re2/wiki/Syntax). */
export class DenyPattern {
  private readonly pattern: RE2JS;
  /** The longest text it can match, in UTF-16 units; Infinity when there is no longest. */
  readonly longest: number;

  /** Throws what RE2JS throws when the pattern is none. */
  constructor(pattern: string) {
    this.pattern = RE2JS.compile(pattern);
    this.longest = longestMatch(this.pattern);
  }

  matchesNothingAtAll(): boolean {
    return this.pattern.test('');
  }

  /** The first match. That there is none is known without looking for its place, which is many times faster. */
  findFirst(scan: Scan): Span[] {
    scan.steps += scan.text.length - scan.from;
    if (!this.pattern.test(scan.text)) return [];
    const matcher = this.pattern.matcher(scan.text);
    return matcher.find(scan.from) ? [{ start: matcher.start(), end: matcher.end() }] : [];
  }

  /** Every match that is to be redacted. What lies across or beside a placeholder was redacted already and is left as it is. */
  findAll(scan: Scan): Span[] {
    const { text, from } = scan;
    scan.steps += text.length - from;
    if (!this.pattern.test(text)) return [];
    const placeholders = placeholdersIn(text);
    const spans: Span[] = [];
    const matcher = this.pattern.matcher(text);
    let at = from;
    while (at <= text.length && matcher.find(at)) {
      const span = { start: matcher.start(), end: matcher.end() };
      const mark = placeholderAt(placeholders, span);
      if (!mark && span.end > span.start) spans.push(span);
      scan.steps += span.end - at;
      at = mark ? Math.max(mark.end, span.start + 1) : Math.max(span.end, at + 1);
    }
    return spans;
  }
}

/** Of the compiled program (Pike VM): instructions that read a character, and those that branch. */
const ALT = 1;
const ALT_MATCH = 2;
const READS_FROM = 8;
const READS_UNTIL = 11;
const MATCHES = 6;
const FAILS = 5;

interface Instruction {
  op: number;
  out: number;
  arg: number;
  /** Ranges of code points; empty where any character will do. */
  runes: Int32Array;
}

/** The longest way through the program. A loop in it, or more instructions than a sane pattern has, is no longest. */
function longestMatch(pattern: RE2JS): number {
  const { inst: program, start }: { inst: Instruction[]; start: number } = pattern.re2().prog;
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
