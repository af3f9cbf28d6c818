/** Headers of a reply, names in lower case. */
export type ReplyHeaders = Record<string, string | string[] | undefined>;

/** What a provider says of one quota. */
export interface QuotaSaid {
  /** Null where it says only what is left. */
  limit: number | null;
  remaining: number;
  /** From now until the quota is whole again; null where it does not say. */
  resetMs: number | null;
}

export interface RateLimitsSaid {
  requests: QuotaSaid | null;
  tokens: QuotaSaid | null;
}

interface HeaderNames {
  limit: string;
  remaining: string;
  reset: string;
}

const suffixed = (what: string): HeaderNames => ({ limit: `x-ratelimit-limit-${what}`, remaining: `x-ratelimit-remaining-${what}`, reset: `x-ratelimit-reset-${what}` });
const prefixed = (what: string): HeaderNames => ({ limit: `${what}-limit`, remaining: `${what}-remaining`, reset: `${what}-reset` });

/** Each is a quota in requests; the one with the least left is the one that binds. */
const REQUESTS: HeaderNames[] = [
  suffixed('requests'), // OpenAI "Rate limits", Azure OpenAI, Groq "Rate limits", Fireworks
  prefixed('anthropic-ratelimit-requests'), // Anthropic "Rate limits", response headers
  ...['requests-minute', 'requests-hour', 'requests-day'].map(suffixed), // Cerebras "Rate limits"
  suffixed('req-minute'), // Mistral, as its API answers
  prefixed('x-ratelimit'), // Together "Rate limits"
  prefixed('ratelimit'), // draft-ietf-httpapi-ratelimit-headers, up to its version 07
];

/** Each is a quota in all tokens. */
const TOKENS: HeaderNames[] = [
  suffixed('tokens'),
  suffixed('project-tokens'), // OpenAI, where a project has a ceiling of its own
  prefixed('anthropic-ratelimit-tokens'),
  ...['tokens-minute', 'tokens-hour', 'tokens-day'].map(suffixed), // Cerebras, Mistral
  { limit: 'x-ratelimitbysize-limit-minute', remaining: 'x-ratelimitbysize-remaining-minute', reset: 'ratelimitbysize-reset' }, // Mistral, formerly
  prefixed('x-tokenlimit'), // Together
];

/** Quotas in some of the tokens only. They count less than what is charged here, so they speak only when nobody else does, or when used up. */
const PARTS_OF_TOKENS: HeaderNames[] = [
  ...['anthropic-ratelimit-input-tokens', 'anthropic-ratelimit-output-tokens'].map(prefixed),
  ...['tokens-prompt', 'tokens-generated'].map(suffixed), // Fireworks
];

/** What a reply says of its credential's quotas; null for what it does not say, or not in an understandable way. `nowMs` is Unix time, for resets that are a date. */
export function readRateLimits(headers: ReplyHeaders, nowMs: number): RateLimitsSaid {
  const clockMs = providerClock(headers, nowMs);
  const read = (families: HeaderNames[]): QuotaSaid[] => families.map((names) => readQuota(headers, names, clockMs)).filter((said) => said !== null);
  const parts = read(PARTS_OF_TOKENS);
  const usedUp = parts.find((part) => part.remaining === 0);
  return { requests: tightest(read(REQUESTS)), tokens: usedUp ?? tightest(read(TOKENS)) ?? tightest(parts) };
}

function tightest(quotas: QuotaSaid[]): QuotaSaid | null {
  return quotas.reduce<QuotaSaid | null>((least, quota) => (least === null || quota.remaining < least.remaining ? quota : least), null);
}

function readQuota(headers: ReplyHeaders, names: HeaderNames, clockMs: number): QuotaSaid | null {
  const said = textOf(headers, names.remaining);
  if (said === null) return null;
  const remaining = countOf(said);
  const limit = countOf(textOf(headers, names.limit) ?? '');
  // Azure answers -1 or 0 where it does not know; an account without any allowance would not have answered at all.
  if (remaining === null || limit === 0) return null;
  const reset = textOf(headers, names.reset);
  return { limit, remaining: limit === null ? remaining : Math.min(remaining, limit), resetMs: reset === null ? null : untilReset(reset, clockMs) };
}

function textOf(headers: ReplyHeaders, name: string): string | null {
  const value = headers[name];
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined ? null : text.trim();
}

const COUNT = /^(\d{1,15})(?![\d])/; // what follows, as in `100, 100;window=60`, says more of the same

function countOf(text: string): number | null {
  const digits = COUNT.exec(text)?.[1];
  return digits === undefined ? null : Number(digits);
}

const NUMBER = String.raw`(\d{1,15}(?:\.\d{1,15})?)`;
/** Go's notation of a duration: `6m0s`, `1h2m3.5s`, `20ms`. */
const DURATION = new RegExp(`^(?:${NUMBER}d)?(?:${NUMBER}h)?(?:${NUMBER}m)?(?:${NUMBER}s)?(?:${NUMBER}ms)?(?:${NUMBER}(?:µs|us|ns))?$`);
const UNITS_MS = [86_400_000, 3_600_000, 60_000, 1000, 1, 0];
const PLAIN = new RegExp(`^${NUMBER}$`);
const DATE = /^(\d{4}-\d\d-\d\d[T ]|[A-Z][a-z]{2}, )/; // RFC 3339 and RFC 9110
const FIRST_UNIX_S = 1e9;
const FIRST_UNIX_MS = 1e12;
const LONGEST_MS = 31 * 86_400_000;

/** Milliseconds until a reset that is a duration, seconds, a Unix time in seconds or milliseconds, or a date. */
function untilReset(text: string, clockMs: number): number | null {
  if (text === '') return null;
  const plain = PLAIN.exec(text)?.[1];
  if (plain !== undefined) {
    const number = Number(plain);
    return bounded(number >= FIRST_UNIX_MS ? number - clockMs : number >= FIRST_UNIX_S ? number * 1000 - clockMs : number * 1000);
  }
  const units = DURATION.exec(text)?.slice(1);
  if (units !== undefined) return bounded(units.reduce((sum, unit, i) => sum + Number(unit ?? 0) * (UNITS_MS[i] ?? 0), 0));
  return DATE.test(text) ? bounded(Date.parse(text) - clockMs) : null;
}

const bounded = (ms: number): number | null => (Number.isFinite(ms) ? Math.min(Math.max(0, Math.round(ms)), LONGEST_MS) : null);

const SAME_CLOCK_MS = 2000;

/** The time by the provider's clock where the reply's date says that it differs from ours: a reset that is a date is one by that clock. */
function providerClock(headers: ReplyHeaders, nowMs: number): number {
  const said = textOf(headers, 'date');
  const atMs = said !== null && DATE.test(said) ? Date.parse(said) : NaN;
  return Number.isFinite(atMs) && Math.abs(atMs - nowMs) > SAME_CLOCK_MS ? atMs : nowMs;
}
