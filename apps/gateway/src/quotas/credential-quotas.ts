import { GATEWAY_HEARTBEAT_S, GATEWAY_LEASE_S, type Candidate, type FailureKind, type Limits } from '@deja/contracts';
import { isUp, openPipeline, queueScript, runScript, scriptReply, type PipelineReply, type RedisClient, type ScriptCall } from '@deja/redis';
import { credentialKey } from '@deja/routing';
import type { Logger } from '@deja/telemetry';
import { SeenQuotas } from './seen-quotas.ts';
import { readRateLimits, type QuotaSaid, type RateLimitsSaid, type ReplyHeaders } from './rate-limit-headers.ts';
import { END, KNOWN, RENEW, TAKE } from './scripts.ts';

/** What one call took of its credential's quotas; handed to `endCalls` or `end` exactly once, when the call is over or will not be made. */
export interface QuotaCharge {
  /** Credential and model, as quotas are learned; null where there is no credential. */
  readonly name: string | null;
  readonly tokens: number;
  /** Where it stands in Redis; null when nothing was charged there. */
  readonly taken: { id: string; atMs: number; requests: number; tokens: number; counters: string | null; flight: string | null } | null;
}

export type QuotaVerdict =
  /** The candidate of that index may be called, and was charged. */
  | { kind: 'admitted'; index: number; charge: QuotaCharge }
  /** The candidate of that index may be called: nothing is known to limit it, or Redis cannot be asked. */
  | { kind: 'free'; index: number; charge: QuotaCharge }
  /** None has room; the first of them will in so many ms. -1: this request is more than any of them ever admits. */
  | { kind: 'refused'; waitMs: number };

/** What is to be asked of Redis, as part of any pipeline. */
export interface QuotaQuestion {
  /** Null when nothing needs to be asked. */
  readonly call: ScriptCall | null;
  /** The candidates that the script is asked for, in order, then the first free one, if any. */
  readonly candidates: Candidate[];
  readonly tokens: number;
  readonly id: string;
}

/** How a call ended. */
export interface QuotaEnd {
  /** Tokens that it really took; null where that is not known. */
  tokens: number | null;
  /** Of the provider's reply, also of a refusal. */
  headers: ReplyHeaders | null;
  /** When they came, Unix ms; now by default. A stream ends long after its headers. */
  headersAtMs?: number;
  failure: FailureKind | null;
  retryAfterMs: number | null;
  /** It was never sent, as when the cache had the answer: everything is given back. */
  unsent?: boolean;
}

const MOST_CANDIDATES = 16;
const LEASE_MS = GATEWAY_LEASE_S * 1000;
const RENEWED_AT_ONCE = 500;
/** A provider that speaks of a later reset is asked again after this: nobody is out for days because of one header. */
const LONGEST_WAIT_MS = 60 * 60_000;
const ANNOUNCED_MS = 2000;
const KEY_PREFIX = 'deja:pool:{credentials}';
const ANNOUNCEMENTS = `${KEY_PREFIX}:known`;

/**
 * Quotas of credentials, kept in Redis for all gateways together: those configured, and those learned from providers. The configured ones are of the
 * credential; what is learned is of credential and model, as providers limit each model by itself.
 * A credential is asked for only where that may change something: it has limits, or it is known to be limited and not far from it.
 * While Redis is away everything is admitted but what this process was told to wait for.
 */
export class CredentialQuotas {
  private readonly seen = new SeenQuotas();
  /** Calls under way whose leases must be renewed: id → key. */
  private readonly flights = new Map<string, string>();
  private readonly ended = new WeakSet<QuotaCharge>();
  private timers: NodeJS.Timeout[] = [];
  private made = 0;

  constructor(
    private readonly redis: RedisClient,
    /** Unique among live gateways, also those that restarted. */
    private readonly instance: string,
    private readonly logger: Pick<Logger, 'error'>,
    /** Unix ms; null is the system's clock here and Redis's own there. */
    private readonly clock: (() => number) | null = null,
  ) {}

  /** Keeps the leases of calls in flight, and hears what other gateways have learned. */
  async start(): Promise<void> {
    this.timers = [
      setInterval(() => void this.heartbeat(), GATEWAY_HEARTBEAT_S * 1000).unref(),
      setInterval(() => void this.listen(), ANNOUNCED_MS).unref(),
    ];
    await this.listen();
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Learns which credentials other gateways know to be limited: what is called without being counted falsifies what they find out. Never rejects. */
  async listen(): Promise<void> {
    if (!isUp(this.redis)) return;
    try {
      const names = (await runScript(this.redis, KNOWN, [ANNOUNCEMENTS], [this.scriptNow()])) as string[];
      for (const name of names) this.seen.announced(name);
    } catch (error) {
      this.failed(error);
    }
  }

  /** Renews the leases of calls in flight. Never rejects: what one could not do, the next one does. */
  async heartbeat(): Promise<void> {
    if (!isUp(this.redis)) return;
    const byKey = Map.groupBy(this.flights, ([, key]) => key);
    const renewals = [...byKey].flatMap(([key, flights]) => {
      const ids = flights.map(([id]) => id);
      const parts = Array.from({ length: Math.ceil(ids.length / RENEWED_AT_ONCE) }, (_, i) => ids.slice(i * RENEWED_AT_ONCE, (i + 1) * RENEWED_AT_ONCE));
      return parts.map((part) => runScript(this.redis, RENEW, [key], [this.scriptNow(), LEASE_MS, ...part]));
    });
    await Promise.all(renewals).catch((error: unknown) => this.failed(error));
  }

  /** What to ask before one of these is called; `tokens` as for the limits of clients. */
  ask(candidates: readonly Candidate[], tokens: number): QuotaQuestion {
    const nowMs = this.nowMs();
    const considered = candidates.slice(0, MOST_CANDIDATES);
    const firstFree = considered.findIndex((candidate) => !this.isMetered(candidate, tokens, nowMs));
    const asked = firstFree < 0 ? considered : considered.slice(0, firstFree + 1);
    const metered = firstFree < 0 ? asked : asked.slice(0, -1);
    const id = `${this.instance}:${(this.made += 1)}`;
    const wholeTokens = Math.max(0, Math.ceil(tokens));
    const call = metered.length === 0 ? null : {
      script: TAKE,
      keys: metered.flatMap((candidate) => Object.values(keysOf(candidate)).filter((key) => key !== null)),
      args: [this.scriptNow(), wholeTokens, id, LEASE_MS, ...metered.flatMap((candidate) => limitArgs(candidate.credential?.limits ?? {}))],
    };
    return { call, candidates: asked, tokens: wholeTokens, id };
  }

  /** What the script's place in a pipeline's reply means; undefined where the pipeline did not get through. Never rejects. */
  async read(question: QuotaQuestion, reply: PipelineReply | undefined): Promise<QuotaVerdict> {
    const { call } = question;
    if (call === null || reply === undefined) return this.decideAlone(question);
    try {
      return this.verdict(question, (await scriptReply(this.redis, reply, call)) as number[]);
    } catch (error) {
      return this.decideWithout(question, error);
    }
  }

  /** Asks for one candidate by itself: a failover or a second attempt beside the first. One round trip, none for a free one. Never rejects. */
  async take(candidate: Candidate, tokens: number): Promise<QuotaVerdict> {
    const question = this.ask([candidate], tokens);
    if (question.call === null || !isUp(this.redis)) return this.decideAlone(question);
    try {
      const { script, keys, args } = question.call;
      return this.verdict(question, (await runScript(this.redis, script, keys, args)) as number[]);
    } catch (error) {
      return this.decideWithout(question, error);
    }
  }

  /** What to write at the end of a call, for the pipeline of its settlement. Learns at once what concerns this process. The second time there is nothing. */
  endCalls(charge: QuotaCharge, end: QuotaEnd): ScriptCall[] {
    if (charge.name === null || this.ended.has(charge)) return [];
    this.ended.add(charge);
    if (charge.taken) this.flights.delete(charge.taken.id);
    const nowMs = this.nowMs();
    const headersAtMs = Math.min(end.headersAtMs ?? nowMs, nowMs);
    const said = end.unsent !== true && end.headers ? readRateLimits(end.headers, headersAtMs) : { requests: null, tokens: null };
    const limited = end.failure === 'rate';
    this.seen.learn(charge.name, said, limited ? headersAtMs + (end.retryAfterMs ?? 0) : null, nowMs);
    const tells = said.requests !== null || said.tokens !== null;
    const worthIt = charge.taken !== null || limited || (tells && this.seen.isNear(charge.name, charge.tokens, nowMs));
    return worthIt ? [this.endCall(charge, charge.name, end, said, nowMs - headersAtMs)] : [];
  }

  /** Writes that by itself. Never rejects: what an outage loses heals by leases and time. */
  async end(charge: QuotaCharge, end: QuotaEnd): Promise<void> {
    const calls = this.endCalls(charge, end);
    if (calls.length === 0 || !isUp(this.redis)) return;
    const pipeline = openPipeline(this.redis);
    for (const call of calls) queueScript(pipeline, call);
    const replies = await pipeline.exec().catch(() => null);
    await Promise.all(calls.map((call, i) => scriptReply(this.redis, replies?.[i], call))).catch((error: unknown) => this.failed(error));
  }

  private endCall(charge: QuotaCharge, name: string, end: QuotaEnd, said: RateLimitsSaid, ageMs: number): ScriptCall {
    const { taken, tokens } = charge;
    const change = end.tokens === null ? 0 : Math.max(0, Math.ceil(end.tokens)) - tokens;
    const outcome = end.unsent === true ? 'unsent' : end.failure === 'rate' ? 'limited' : end.failure === null ? 'answered' : 'other';
    const retryAfterMs = end.retryAfterMs === null ? -1 : Math.max(0, Math.round(end.retryAfterMs));
    return {
      script: END,
      keys: [...learnedKeys(name), ANNOUNCEMENTS, taken?.counters, taken?.flight].filter((key) => typeof key === 'string'),
      args: [
        this.scriptNow(), taken?.id ?? '', taken?.atMs ?? -1, taken?.requests ?? -1, taken?.tokens ?? -1, tokens, change, taken?.counters ? 1 : 0, taken?.flight ? 1 : 0,
        outcome, retryAfterMs, Math.round(ageMs), ...saidArgs(said.requests), ...saidArgs(said.tokens), name,
      ],
    };
  }

  private verdict(question: QuotaQuestion, [admitted, second = -1, atMs = 0, requests = 0, tokens = 0]: number[]): QuotaVerdict {
    const index = second - 1;
    const candidate = question.candidates[index];
    if (admitted === 1 && candidate?.credential) {
      const { counters, flight } = keysOf(candidate);
      if (flight !== null) this.flights.set(question.id, flight);
      return { kind: 'admitted', index, charge: { name: learnedName(candidate), tokens: question.tokens, taken: { id: question.id, atMs, requests, tokens, counters, flight } } };
    }
    const last = question.candidates.length - 1;
    const free = question.candidates[last];
    if (free !== undefined && !this.isMetered(free, question.tokens, this.nowMs())) return this.free(free, last, question.tokens);
    return { kind: 'refused', waitMs: second };
  }

  private decideWithout(question: QuotaQuestion, error: unknown): QuotaVerdict {
    this.failed(error);
    return this.decideAlone(question);
  }

  /** The connection logs its own outages; what a Redis that is there objects to is a defect. */
  private failed(error: unknown): void {
    if (error instanceof Error && error.name === 'ReplyError') this.logger.error({ err: error }, 'a quota of a credential could not be counted');
  }

  /** First fit by what this process was told. */
  private decideAlone({ candidates, tokens }: QuotaQuestion): QuotaVerdict {
    const nowMs = this.nowMs();
    const waitsMs = candidates.map((candidate) => (candidate.credential ? this.seen.waitMs(learnedName(candidate), nowMs) : 0));
    const index = waitsMs.indexOf(0);
    const candidate = candidates[index];
    return candidate === undefined ? { kind: 'refused', waitMs: waitsMs.length === 0 ? -1 : Math.min(...waitsMs) } : this.free(candidate, index, tokens);
  }

  private free(candidate: Candidate, index: number, tokens: number): QuotaVerdict {
    return { kind: 'free', index, charge: { name: candidate.credential ? learnedName(candidate) : null, tokens, taken: null } };
  }

  private isMetered(candidate: Candidate, tokens: number, nowMs: number): boolean {
    const { credential } = candidate;
    if (credential === null) return false;
    return limitArgs(credential.limits).some((limit) => limit >= 0) || this.seen.isNear(learnedName(candidate), tokens, nowMs);
  }

  private nowMs(): number {
    return this.clock === null ? Date.now() : this.clock();
  }

  private scriptNow(): number | '' {
    return this.clock === null ? '' : this.clock();
  }
}

const learnedName = (candidate: Candidate): string => `${candidate.credential ? credentialKey(candidate.credential) : ''}:${candidate.upstreamModel}`;
const learnedKeys = (name: string): [state: string, log: string] => [`${KEY_PREFIX}:${name}:learned`, `${KEY_PREFIX}:${name}:log`];

/** In the order of the script. */
function keysOf(candidate: Candidate): { learned: string; log: string; counters: string | null; flight: string | null } {
  const [learned, log] = learnedKeys(learnedName(candidate));
  const own = `${KEY_PREFIX}:${candidate.credential ? credentialKey(candidate.credential) : ''}`;
  const [perMinute = -1, tokensPerMinute = -1, perDay = -1, tokensPerDay = -1, concurrency = -1] = limitArgs(candidate.credential?.limits ?? {});
  const counted = Math.max(perMinute, tokensPerMinute, perDay, tokensPerDay) >= 0;
  return { learned, log, counters: counted ? `${own}:counters` : null, flight: concurrency >= 0 ? `${own}:flight` : null };
}

const limitArgs = (limits: Limits): number[] => [
  limits.requests_per_minute ?? -1, limits.tokens_per_minute ?? -1, limits.requests_per_day ?? -1, limits.tokens_per_day ?? -1, limits.concurrency ?? -1,
];

const saidArgs = (said: QuotaSaid | null): number[] => [said?.limit ?? -1, said?.remaining ?? -1, said?.resetMs == null ? -1 : Math.min(said.resetMs, LONGEST_WAIT_MS)];
