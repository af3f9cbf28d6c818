import { isDetectorName, type Action } from './action.ts';
import type { Span } from './scan.ts';

export interface Match extends Span {
  rule: string;
  action: Exclude<Action, 'off'>;
}

const OPENING = '[redacted:';
/** What redaction wrote, here or before: a detector's name or an operator's rule's. Every part is of bounded length, so this is linear. */
const PLACEHOLDER = /\[redacted:([A-Za-z][A-Za-z0-9._-]{0,62}(?:\[\d{1,6}\])?)\]/g;

export function placeholder(rule: string): string {
  return `${OPENING}${rule}]`;
}

interface Placeholder extends Span {
  rule: string;
}

/**
 * Takes out of `matches` what would redact a redacted text once more: whatever lies inside of a placeholder, and what only touches or
 * overlaps one where a rule of the operator's has a part in it. Detectors never match across a placeholder by themselves.
 */
export function withoutPlaceholders(text: string, matches: Match[]): Match[] {
  if (matches.length === 0 || !text.includes(OPENING)) return matches;
  const placeholders = placeholdersIn(text);
  return matches.filter((match) => !touched(placeholders, match).some((mark) => isStale(match, mark)));
}

function isStale(match: Match, mark: Placeholder): boolean {
  if (mark.start <= match.start && match.end <= mark.end) return true;
  return match.action === 'redact' && !(isDetectorName(match.rule) && isDetectorName(mark.rule));
}

function placeholdersIn(text: string): Placeholder[] {
  return [...text.matchAll(PLACEHOLDER)].map((found) => ({ start: found.index, end: found.index + found[0].length, rule: found[1] ?? '' }));
}

/** Those that overlap or touch the span. Both ends are found by bisection: many matches beside many placeholders stay cheap. */
function touched(placeholders: Placeholder[], { start, end }: Span): Placeholder[] {
  let low = 0;
  let high = placeholders.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((placeholders[middle]?.end ?? Infinity) < start) low = middle + 1;
    else high = middle;
  }
  const found: Placeholder[] = [];
  for (let at = low; at < placeholders.length; at++) {
    const mark = placeholders[at];
    if (!mark || mark.start > end) break;
    found.push(mark);
  }
  return found;
}

/**
 * Replaces what is to be redacted or blocked. Matches that overlap or touch become one, named after the first of them. `matches` are
 * sorted by `start`. The same string when there is nothing to replace.
 */
export function redacted(text: string, matches: Match[]): string {
  const merged: Match[] = [];
  for (const match of matches) {
    if (match.action === 'flag') continue;
    const last = merged.at(-1);
    if (last && match.start <= last.end) last.end = Math.max(last.end, match.end);
    else merged.push({ ...match });
  }
  if (merged.length === 0) return text;
  let out = '';
  let kept = 0;
  for (const { start, end, rule } of merged) {
    out += text.slice(kept, start) + placeholder(rule);
    kept = end;
  }
  return out + text.slice(kept);
}
