import type { CeilingState, Measure } from './ask.ts';
import { MEASURES } from './measures.ts';

const HEADERS = {
  requests: ['requests_per_minute', 'requests_per_day'],
  tokens: ['tokens_per_minute', 'tokens_per_day'],
} as const satisfies Record<string, Measure[]>;

const KINDS = Object.entries(HEADERS).map(([kind, measures]) => ({ measures, limit: `x-ratelimit-limit-${kind}`, remaining: `x-ratelimit-remaining-${kind}`, reset: `x-ratelimit-reset-${kind}` }));

/** `x-ratelimit-*`: of all windows of a kind, over every scope, the one with the least left; among equals the one that is whole again last. */
export function rateLimitHeaders(states: readonly CeilingState[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { measures, ...names } of KINDS) {
    const tightest = tightestOf(states, measures);
    if (tightest === null) continue;
    headers[names.limit] = String(tightest.limit);
    headers[names.remaining] = String(tightest.remaining);
    headers[names.reset] = durationText(tightest.resetMs);
  }
  return headers;
}

function tightestOf(states: readonly CeilingState[], measures: readonly Measure[]): Room | null {
  let tightest: Room | null = null;
  for (const state of states) {
    for (const measure of measures) {
      const each = room(state, measure);
      if (each === null) continue;
      if (tightest === null || each.remaining < tightest.remaining || (each.remaining === tightest.remaining && each.resetMs > tightest.resetMs)) tightest = each;
    }
  }
  return tightest;
}

interface Room {
  limit: number;
  remaining: number;
  resetMs: number;
}

function room({ ceiling, used, resetMs }: CeilingState, measure: Measure): Room | null {
  const limit = ceiling.limits[measure];
  if (limit === undefined) return null;
  const taken = used[measure] ?? 0;
  const wholeMs = (MEASURES[measure].windowS ?? 0) * 1000;
  return { limit, remaining: Math.max(0, limit - taken), resetMs: taken <= 0 ? 0 : (resetMs[measure] ?? wholeMs) };
}

/** As OpenAI writes durations: `1s`, `6m0s`, `23h59m59s`. Whole seconds, rounded up. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}h${m}m${s}s` : m > 0 ? `${m}m${s}s` : `${s}s`;
}
