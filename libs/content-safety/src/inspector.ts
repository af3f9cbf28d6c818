import { DETECTOR_NAMES, isDetectorName, type Action, type Side } from './action.ts';
import { DenyPattern, LONGEST_MATCH } from './deny-pattern.ts';
import { FINDERS, type Finder } from './detectors.ts';
import { redacting, withoutPlaceholders, type Match } from './redaction.ts';
import { Scan } from './scan.ts';
import type { SafetyRules } from './safety-rules.ts';
import { finished, type Work } from './work.ts';

export interface Finding {
  /** A detector, or a rule of the operator's. */
  rule: string;
  action: Exclude<Action, 'off'>;
}

export interface Inspection {
  /** What may go on: without what was to be redacted. The same string when that was nothing. */
  text: string;
  /** Each rule once, in the order in which they were met. They hold nothing of the text. */
  findings: Finding[];
  /** The rule that forbids the text, or null. */
  blocked: string | null;
}

interface Rule extends Finding {
  find: Finder;
}

interface Rules {
  all: Rule[];
  /** The detectors that redact or block. */
  redacting: Rule[];
  /** How far before the end of a growing text a match of an operator's rule may begin that its end will complete. */
  reach: number;
}

/** Redaction can lay bare what was hidden by being joined to what was redacted. Twice in a row is rare, more often was not seen. */
const MAX_PASSES = 8;

/** Looks for what the rules name, in one text at a time. Compiles once; holds nothing of any text. */
export class Inspector {
  private readonly rules: Record<Side, Rules>;
  /** Characters read by all inspections so far, by every rule: a measure of work that has no clock in it. */
  steps = 0;

  constructor(rules: SafetyRules) {
    this.rules = { prompts: compiled(rules, 'prompts'), answers: compiled(rules, 'answers') };
  }

  /** Whether there is anything to look for. */
  active(side: Side): boolean {
    return this.rules[side].all.length > 0;
  }

  reach(side: Side): number {
    return this.rules[side].reach;
  }

  inspect(text: string, side: Side): Inspection {
    return finished(this.inspecting(text, side));
  }

  /** The same, for a text that may be long: it can be left off for a while. Several may be under way at once. */
  *inspecting(text: string, side: Side): Work<Inspection> {
    return yield* this.treating(text, yield* this.run(this.rules[side].all, new Scan(text, 0, true)), side);
  }

  /** All matches from `from` on, by place. `final: false` says that the text may go on: a private key without an end then reaches to it. */
  matches(text: string, side: Side, o: { from: number; final: boolean } = { from: 0, final: true }): Match[] {
    return finished(this.run(this.rules[side].all, new Scan(text, o.from, o.final)));
  }

  /** What a text with these matches, by place, comes to. `before` is what went out before it, treated, as far as it matters to look back. */
  treat(text: string, matches: Match[], side: Side, before = ''): Inspection {
    return finished(this.treating(text, matches, side, before));
  }

  private *treating(text: string, matches: Match[], side: Side, before = ''): Work<Inspection> {
    let found = matches;
    let treated = text;
    const findings = new Map<string, Finding>();
    for (let pass = 0; pass < MAX_PASSES && found.length > 0; pass++) {
      for (const { rule, action } of found) {
        if (!findings.has(rule)) findings.set(rule, { rule, action });
      }
      const last = treated;
      treated = yield* redacting(last, found);
      found = treated === last ? [] : yield* this.laidBare(treated, side, before);
    }
    const all = [...findings.values()];
    return { text: treated, findings: all, blocked: all.find(({ action }) => action === 'block')?.rule ?? null };
  }

  private *laidBare(text: string, side: Side, before: string): Work<Match[]> {
    const from = before.length;
    const matches = yield* this.run(this.rules[side].redacting, new Scan(before + text, from, true));
    return matches.map((match) => ({ ...match, start: match.start - from, end: match.end - from }));
  }

  private *run(rules: Rule[], scan: Scan): Work<Match[]> {
    const matches: Match[] = [];
    for (const { rule, action, find } of rules) {
      for (const span of yield* find(scan)) matches.push({ ...span, rule, action });
    }
    this.steps += scan.steps;
    if (matches.length === 0) return matches;
    yield;
    matches.sort((a, b) => a.start - b.start || b.end - a.end);
    yield;
    return withoutPlaceholders(scan.text, withoutGuesses(matches));
  }
}

function compiled(rules: SafetyRules, side: Side): Rules {
  const all: Rule[] = [];
  for (const rule of DETECTOR_NAMES) {
    const action = rules[side][rule];
    if (action !== 'off') all.push({ rule, action, find: FINDERS[rule] });
  }
  let reach = 0;
  for (const { name, pattern, action, on } of rules.deny) {
    if (!on.includes(side)) continue;
    const compiledPattern = new DenyPattern(pattern);
    reach = Math.max(reach, Math.min(compiledPattern.longest, LONGEST_MATCH) + 1);
    all.push({ rule: name, action, find: (scan) => (action === 'redact' ? compiledPattern.findAll(scan) : compiledPattern.findFirst(scan)) });
  }
  return { all, redacting: all.filter(({ rule, action }) => isDetectorName(rule) && action !== 'flag'), reach };
}

/** An assigned value that a better detector names as well is not reported twice. `matches` are sorted by place. */
function withoutGuesses(matches: Match[]): Match[] {
  if (!matches.some(isGuess)) return matches;
  const overlapping = new Set<Match>();
  let sureEnd = -1;
  for (const match of matches) {
    if (!isGuess(match)) sureEnd = Math.max(sureEnd, match.end);
    else if (sureEnd > match.start) overlapping.add(match);
  }
  let sureStart = Infinity;
  for (const match of matches.toReversed()) {
    if (!isGuess(match)) sureStart = match.start;
    else if (sureStart < match.end) overlapping.add(match);
  }
  return matches.filter((match) => !overlapping.has(match));
}

function isGuess({ rule, action }: Match): boolean {
  return rule === 'assigned_secret' && action === 'flag';
}
