import { asked, isRecord, roughTokens } from './fake-provider-wire.ts';

/** How a credential is limited. */
export interface FakeQuotaRule {
  /** Requests in a window; with `bucket` the most at once, and what comes back evenly over a window. */
  requests: number;
  windowMs: number;
  style: 'window' | 'bucket';
  /** Whether answers say so in `x-ratelimit-*`. */
  headers: boolean;
  /** Tokens, likewise. */
  tokens?: number;
  /** In what a refusal says how long to wait: `retry-after-ms` and `retry-after` (default), or whole seconds alone, or not at all. */
  retryAfter?: 'ms' | 's' | 'none';
}

/** What the provider makes of one request. */
export interface FakeQuotaReply {
  admitted: boolean;
  headers: Record<string, string>;
}

interface Meter {
  limit: number;
  left: number;
  /** When a window began, or a bucket was last filled up. */
  sinceMs: number;
}

/** Quotas as providers have them: enforced for each credential by itself, told or hidden. Windows begin at multiples of their length. */
export class FakeQuota {
  private readonly rules: Record<string, FakeQuotaRule>;
  private readonly now: () => number;
  private readonly states = new Map<string, { admitted: number; refused: number; requests: Meter; tokens: Meter | null }>();

  constructor(rules: Record<string, FakeQuotaRule>, now: () => number = Date.now) {
    this.rules = rules;
    this.now = now;
  }

  /** Counts of a credential so far. */
  counts(credential: string): { admitted: number; refused: number } {
    const { admitted = 0, refused = 0 } = this.states.get(credential) ?? {};
    return { admitted, refused };
  }

  /** Takes one request from the credential's quota; null where it has none. */
  admit(credential: string, tokens = 0): FakeQuotaReply | null {
    const rule = this.rules[credential];
    if (rule === undefined) return null;
    const nowMs = this.now();
    const state = this.states.get(credential) ?? newState(rule, nowMs);
    this.states.set(credential, state);
    const meters = [{ meter: state.requests, need: 1 }, ...(state.tokens === null ? [] : [{ meter: state.tokens, need: tokens }])];
    for (const { meter } of meters) refill(meter, rule, nowMs);
    const admitted = meters.every(({ meter, need }) => meter.left >= need);
    if (admitted) for (const { meter, need } of meters) meter.left -= need;
    state[admitted ? 'admitted' : 'refused'] += 1;
    const waitMs = Math.max(...meters.map(({ meter, need }) => waitFor(meter, need, rule, nowMs)));
    return { admitted, headers: { ...(rule.headers && toldHeaders(state, rule, nowMs)), ...(!admitted && waitHeaders(waitMs, rule)) } };
  }
}

/** OpenAI's body of a 429. */
export const quotaExceeded = { error: { message: 'Rate limit reached. Please try again later.', type: 'requests', param: null, code: 'rate_limit_exceeded' } };

/** What a request takes from a quota of tokens: its texts and what the answer may take, as OpenAI counts before it answers ("Rate limits"). */
export function wantedTokens(body: unknown): number {
  const most = isRecord(body) ? (body['max_completion_tokens'] ?? body['max_output_tokens'] ?? body['max_tokens']) : 0;
  return roughTokens(asked(body).promptText) + (typeof most === 'number' && most > 0 ? most : 0);
}

function newState(rule: FakeQuotaRule, nowMs: number): { admitted: number; refused: number; requests: Meter; tokens: Meter | null } {
  const sinceMs = rule.style === 'window' ? Math.floor(nowMs / rule.windowMs) * rule.windowMs : nowMs;
  const meter = (limit: number): Meter => ({ limit, left: limit, sinceMs });
  return { admitted: 0, refused: 0, requests: meter(rule.requests), tokens: rule.tokens === undefined ? null : meter(rule.tokens) };
}

function refill(meter: Meter, { style, windowMs }: FakeQuotaRule, nowMs: number): void {
  const passedMs = Math.max(0, nowMs - meter.sinceMs);
  if (style === 'bucket') {
    meter.left = Math.min(meter.limit, meter.left + (passedMs * meter.limit) / windowMs);
    meter.sinceMs = Math.max(meter.sinceMs, nowMs);
  } else if (passedMs >= windowMs) {
    meter.left = meter.limit;
    meter.sinceMs = Math.floor(nowMs / windowMs) * windowMs;
  }
}

const wholeAgainMs = (meter: Meter, { style, windowMs }: FakeQuotaRule, nowMs: number): number =>
  style === 'bucket' ? ((meter.limit - meter.left) * windowMs) / meter.limit : meter.sinceMs + windowMs - nowMs;

function waitFor(meter: Meter, need: number, rule: FakeQuotaRule, nowMs: number): number {
  if (meter.left >= need) return 0;
  return rule.style === 'bucket' ? ((need - meter.left) * rule.windowMs) / meter.limit : wholeAgainMs(meter, rule, nowMs);
}

function toldHeaders(state: { requests: Meter; tokens: Meter | null }, rule: FakeQuotaRule, nowMs: number): Record<string, string> {
  const told = (kind: string, meter: Meter): [string, string][] => [
    [`x-ratelimit-limit-${kind}`, String(meter.limit)],
    [`x-ratelimit-remaining-${kind}`, String(Math.floor(meter.left))],
    [`x-ratelimit-reset-${kind}`, durationText(wholeAgainMs(meter, rule, nowMs))],
  ];
  return Object.fromEntries([...told('requests', state.requests), ...(state.tokens === null ? [] : told('tokens', state.tokens))]);
}

function waitHeaders(waitMs: number, { retryAfter = 'ms' }: FakeQuotaRule): Record<string, string> {
  if (retryAfter === 'none') return {};
  const seconds = { 'retry-after': String(Math.ceil(waitMs / 1000)) };
  return retryAfter === 's' ? seconds : { ...seconds, 'retry-after-ms': String(Math.ceil(waitMs)) };
}

/** As OpenAI writes it: `20ms`, `7.66s`, `6m0s`. */
function durationText(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms) / 1000;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.round((seconds % 60) * 1000) / 1000}s`;
}
