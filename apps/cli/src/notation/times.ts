import { InvalidArgumentError } from 'commander';

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** A duration in seconds: `90`, `90s`, `15m`, `24h`, `7d`, `2w`. */
export function parseSeconds(text: string): number {
  const match = /^(\d{1,9})([smhdw]?)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('write a duration as 90s, 15m, 24h, 7d or 2w');
  return Number(match[1]) * (SECONDS[match[2] ?? ''] ?? 1);
}

/** A duration in milliseconds: `500ms`, or as `parseSeconds` has it. */
export function parseMs(text: string): number {
  const ms = /^(\d{1,9})ms$/.exec(text)?.[1];
  if (ms !== undefined) return Number(ms);
  if (!/^\d+[smhdw]$/.test(text)) throw new InvalidArgumentError('write a duration as 500ms, 2s or 1m');
  return parseSeconds(text) * 1000;
}

/** A duration as `parseSeconds` reads it, in the largest unit that fits exactly. */
export function secondsWords(seconds: number): string {
  const unit = ['w', 'd', 'h', 'm'].find((name) => seconds > 0 && seconds % (SECONDS[name] ?? 1) === 0) ?? 's';
  return `${seconds / (SECONDS[unit] ?? 1)}${unit}`;
}

/**
 * A moment as RFC 3339 text: `2026-01-31` (its beginning in UTC), `2026-01-31T12:00:00Z`, or a duration before or after now.
 * @param direction where a duration leads: 1 into the future, -1 into the past
 */
export function parseMoment(text: string, nowMs: number, direction: 1 | -1): string {
  if (/^\d{1,6}[smhdw]$/.test(text)) return new Date(nowMs + direction * parseSeconds(text) * 1000).toISOString();
  const full = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const isMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/i.test(full) && !Number.isNaN(Date.parse(full));
  // Date takes the 31st of February for a day in March.
  const isDay = isMoment && new Date(`${full.slice(0, 10)}T00:00:00Z`).toISOString().startsWith(full.slice(0, 10));
  if (!isDay) throw new InvalidArgumentError(`write a moment as 2026-01-31, 2026-01-31T12:00:00Z, or as far from now as 24h, 7d or 2w`);
  return new Date(full).toISOString();
}

const NEVER = 'never';

/** A moment to come, or `never`. It stays text: Commander makes an empty one of null. */
export const expiryIn = (text: string, nowMs: number): string => (text === NEVER ? NEVER : parseMoment(text, nowMs, 1));

/** What `expiryIn` gave, as the API has it. */
export const momentOf = (expiry: string): string | null => (expiry === NEVER ? null : expiry);
