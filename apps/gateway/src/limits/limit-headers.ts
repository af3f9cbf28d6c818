import type { CeilingState, Measure } from './ask.ts';
import { MEASURES } from './measures.ts';

const HEADERS = {
  requests: ['requests_per_minute', 'requests_per_day'],
  tokens: ['tokens_per_minute', 'tokens_per_day'],
} as const satisfies Record<string, Measure[]>;

/** `x-ratelimit-*`: of all windows of a kind, over every scope, the one with the least left; among equals the one that is whole again last. */
export function rateLimitHeaders(states: readonly CeilingState[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [kind, measures] of Object.entries(HEADERS)) {
    const tightest = states.flatMap((state) => measures.flatMap((measure) => room(state, measure) ?? []))
      .reduce<Room | null>((least, each) => (least === null || each.remaining < least.remaining || (each.remaining === least.remaining && each.resetMs > least.resetMs) ? each : least), null);
    if (tightest === null) continue;
    headers[`x-ratelimit-limit-${kind}`] = String(tightest.limit);
    headers[`x-ratelimit-remaining-${kind}`] = String(tightest.remaining);
    headers[`x-ratelimit-reset-${kind}`] = durationText(tightest.resetMs);
  }
  return headers;
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
