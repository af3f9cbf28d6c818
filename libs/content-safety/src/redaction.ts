import type { Action } from './action.ts';
import type { Span } from './scan.ts';
import type { Work } from './work.ts';

export interface Match extends Span {
  rule: string;
  action: Exclude<Action, 'off'>;
}

const MATCHES_A_TURN = 5000;
const OPENING = '[redacted:';
/** What redaction wrote, here or before: a detector's name or an operator's rule's. Every part is of bounded length, so this is linear. */
const PLACEHOLDER = /\[redacted:[A-Za-z][A-Za-z0-9._-]{0,62}(?:\[\d{1,6}\])?\]/g;

export function placeholder(rule: string): string {
  return `${OPENING}${rule}]`;
}

/** The placeholders in a text, by place. */
export function placeholdersIn(text: string): Span[] {
  if (!text.includes(OPENING)) return [];
  return [...text.matchAll(PLACEHOLDER)].map((found) => ({ start: found.index, end: found.index + found[0].length }));
}

/** The first of these placeholders that the span overlaps or touches. Found by bisection: many matches beside many placeholders stay cheap. */
export function placeholderAt(placeholders: Span[], { start, end }: Span): Span | null {
  let low = 0;
  let high = placeholders.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((placeholders[middle]?.end ?? Infinity) < start) low = middle + 1;
    else high = middle;
  }
  const first = placeholders[low];
  return first && first.start <= end ? first : null;
}

/** The matches without those inside of placeholders: names of rules are no secrets. Detectors never match across one. */
export function withoutPlaceholders(text: string, matches: Match[]): Match[] {
  const placeholders = placeholdersIn(text);
  if (placeholders.length === 0) return matches;
  return matches.filter((match) => {
    const inside = placeholderAt(placeholders, { start: match.start + 1, end: match.end });
    return !inside || match.start < inside.start || match.end > inside.end;
  });
}

/**
 * Replaces what is to be redacted or blocked. Matches that overlap or touch become one, named after the first of them. `matches` are
 * sorted by `start`. The same string when there is nothing to replace.
 */
export function* redacting(text: string, matches: Match[]): Work<string> {
  const merged: Match[] = [];
  for (const [n, match] of matches.entries()) {
    if (n % MATCHES_A_TURN === MATCHES_A_TURN - 1) yield;
    if (match.action === 'flag') continue;
    const last = merged.at(-1);
    if (last && match.start <= last.end) last.end = Math.max(last.end, match.end);
    else merged.push({ ...match });
  }
  if (merged.length === 0) return text;
  let out = '';
  let kept = 0;
  for (const [n, { start, end, rule }] of merged.entries()) {
    if (n % MATCHES_A_TURN === MATCHES_A_TURN - 1) yield;
    out += text.slice(kept, start) + placeholder(rule);
    kept = end;
  }
  return out + text.slice(kept);
}
