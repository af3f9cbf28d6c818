import { createHash } from 'node:crypto';
import { actionOfGroup, DETECTOR_NAMES, DETECTORS, perDetector, type Action, type DetectorName, type Side } from './action.ts';
import { DenyPattern, LONGEST_MATCH, MOST_INSTRUCTIONS } from './deny-pattern.ts';
import type { SafetyConfig } from './safety-schema.ts';

export interface DenyRule {
  /** As findings and redacted texts name it; `deny[0]` where the file gives none. */
  name: string;
  /** An RE2 pattern that compiles. */
  pattern: string;
  action: Exclude<Action, 'off'>;
  on: Side[];
}

export interface ModerationRules {
  model: string;
  on_error: 'open' | 'closed';
  timeout_ms: number;
  /** A category's score from which on a text is blocked; without one, the moderation model's own `flagged` decides. */
  thresholds: Record<string, number>;
  answers: boolean;
}

/** What `content_safety` comes to: plain JSON, as it travels in the routing snapshot. */
export interface SafetyRules {
  deny: DenyRule[];
  prompts: Record<DetectorName, Action>;
  answers: Record<DetectorName, Action>;
  moderation: ModerationRules | null;
}

export interface SafetyProblem {
  /** Below `content_safety`. */
  path: (string | number)[];
  message: string;
}

/** Of all patterns together: each character of a text is held against every one of them. */
const MOST_INSTRUCTIONS_TOGETHER = 250_000;

/** The rules, and what is wrong with them. Patterns that are none are reported and left out. */
export function safetyRules(config: SafetyConfig): { rules: SafetyRules; problems: SafetyProblem[] } {
  const problems: SafetyProblem[] = [];
  const deny: DenyRule[] = [];
  const names = new Set<string>(DETECTOR_NAMES);
  let instructions = 0;
  config.deny.forEach((entry, index) => {
    const rule = denyRule(entry, index);
    const inPattern = typeof entry === 'string' ? [] : ['pattern'];
    // What is too large together is not even compiled: a thousand such patterns would take minutes.
    const compiled = instructions > MOST_INSTRUCTIONS_TOGETHER ? TOO_LARGE_TOGETHER : compiledOf(rule.pattern);
    if (typeof compiled !== 'string') instructions += compiled.instructions;
    const reason = typeof compiled === 'string' ? compiled : patternProblem(compiled, rule);
    if (reason !== null) problems.push({ path: ['deny', index, ...inPattern], message: reason });
    else if (names.has(rule.name)) problems.push({ path: ['deny', index, 'name'], message: `${JSON.stringify(rule.name)} is the name of another rule or of a detector: names must differ` });
    else deny.push(rule);
    names.add(rule.name);
  });
  const rules: SafetyRules = { deny, prompts: detectorActions(config, 'prompts'), answers: detectorActions(config, 'answers'), moderation: null };
  if (config.moderation) rules.moderation = { ...config.moderation, thresholds: config.moderation.thresholds ?? {} };
  return { rules, problems };
}

/** Rules that do nothing. */
export function noSafetyRules(): SafetyRules {
  return { deny: [], prompts: perDetector(() => 'off'), answers: perDetector(() => 'off'), moderation: null };
}

/** Raised when detectors find more or less than before, so that answers kept under older ones are not served under these. */
const DETECTORS_VERSION = 1;

/**
 * 16 hexadecimal digits that change when anything changes which decides what an answer may hold. Rules for prompts are not part of
 * it: prompts are inspected before anything is looked up.
 */
export function rulesDigest(rules: SafetyRules): string {
  const deny = rules.deny.filter((rule) => rule.on.includes('answers')).map(({ name, pattern, action }) => [name, pattern, action]);
  const detectors = DETECTOR_NAMES.map((name) => [name, rules.answers[name]]);
  const moderation = rules.moderation?.answers ? [rules.moderation.model, Object.entries(rules.moderation.thresholds).sort(([a], [b]) => (a < b ? -1 : 1))] : null;
  return createHash('sha256').update(JSON.stringify([DETECTORS_VERSION, deny, detectors, moderation])).digest('hex').slice(0, 16);
}

function denyRule(entry: SafetyConfig['deny'][number], index: number): DenyRule {
  const fallback = `deny[${index}]`;
  if (typeof entry === 'string') return { name: fallback, pattern: entry, action: 'block', on: ['prompts'] };
  return { name: entry.name ?? fallback, pattern: entry.pattern, action: entry.action, on: entry.on === 'both' ? ['prompts', 'answers'] : [entry.on] };
}

const TOO_LARGE_TOGETHER = `the patterns before it come to more than ${MOST_INSTRUCTIONS_TOGETHER} instructions together, which is too large: repeat less, as in {1,50} instead of {1,1000}`;

/** The pattern, or why it is none. */
function compiledOf(pattern: string): DenyPattern | string {
  try {
    return new DenyPattern(pattern);
  } catch (error) {
    return notAPattern(error);
  }
}

/** By what the library says of a pattern, which quotes it. */
const HINTS: [RegExp, string][] = [
  [/^error parsing regexp: invalid repeat/, ': RE2 repeats at most 1000 times, nested repetitions multiplied'],
  [/^error parsing regexp: invalid (?:or unsupported Perl syntax|named capture|escape sequence)/, ': RE2 has no look-around and no back-references'],
];
const LONGEST_REASON = 200;

function notAPattern(error: unknown): string {
  if (error instanceof RangeError) return 'its groups are nested too deeply to be a pattern';
  const reason = error instanceof Error ? error.message : String(error);
  const hint = HINTS.find(([about]) => about.test(reason))?.[1] ?? '';
  return `not an RE2 pattern (${reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON)}…` : reason})${hint}`;
}

function patternProblem(compiled: DenyPattern, { name, action }: DenyRule): string | null {
  if (compiled.instructions > MOST_INSTRUCTIONS) return `the pattern of ${JSON.stringify(name)} comes to ${compiled.instructions} instructions, of which a pattern may have ${MOST_INSTRUCTIONS}: repeat less, as in {1,50} instead of {1,1000}, or make several rules of it`;
  if (compiled.matchesNothingAtAll()) return 'matches the empty text, and so every text: make a part of it obligatory';
  if (action !== 'redact' || compiled.longest <= LONGEST_MATCH) return null;
  return `can match more than ${LONGEST_MATCH} characters, which cannot be redacted: write how many at most, as in \\w{1,50} or [^\\n]{0,200} instead of \\w+ or .*`;
}

function detectorActions(config: SafetyConfig, side: Side): Record<DetectorName, Action> {
  return perDetector((name) => {
    const own = config.detectors[name];
    return own === undefined ? actionOfGroup(name, sideOf(config[DETECTORS[name].group], side)) : sideOf(own, side);
  });
}

/** An action without a side is for prompts. */
function sideOf(value: Action | { prompts: Action; answers: Action } | undefined, side: Side): Action {
  if (value === undefined) return 'off';
  if (typeof value === 'string') return side === 'prompts' ? value : 'off';
  return value[side];
}
