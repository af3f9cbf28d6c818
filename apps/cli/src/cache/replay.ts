import { cacheKeys, eligibility, lastUserText, normaliseText, type Eligibility } from '@deja/cache-key';
import { countedModel } from '@deja/contracts';
import { VectorMemory, WrongRates, type Quantised, type StaticEmbedder } from '@deja/similarity';
import type { LoggedRequest } from './logged-request.ts';
import type { Worth } from './logged-answer.ts';
import type { MergedPair } from './merged-pairs.ts';
import type { Models } from './models.ts';
import { SimilarQuestions, type Similar } from './similar-questions.ts';
import { Tally, type Outcome } from './tally.ts';
import { TenantCaches } from './tenant-caches.ts';

export const SCOPES = ['tenant', 'user', 'key'] as const;
export interface ReplaySettings {
  scope: (typeof SCOPES)[number];
  /** One cache for each; at most 16. */
  ttlsS: readonly number[];
  exactTtlS: number | null;
  verification: 'strict' | 'balanced';
  /** In [0, 1]. */
  maxWrongRate: number;
}

/** As `cache.semantic.max_entries_per_tenant` is unless said otherwise. */
const MOST_QUESTIONS = 50_000;
const ENDPOINT = 'chat/completions';
/** Every so many requests, also the caches of tenants who ask no more are gone through. */
const SWEEP_EVERY = 10_000;

interface Tenant {
  caches: TenantCaches;
  tallies: Tally[];
}

interface Looked {
  outcomes: Outcome[];
  /** The vector of the question, where its answer may serve similar ones. */
  vector: Quantised | null;
}

/**
 * Answers a log of requests from caches that are kept by the product's own rules, one for each TTL, and counts what that would have saved. Calls
 * nobody. The clock is that of the log, and never goes back.
 */
export class Replay {
  readonly tenants = new Map<string, Tenant>();
  /** Requests whose time is before that of one before them. */
  outOfOrder = 0;
  withoutTime = 0;
  firstMs: number | null = null;
  #clockMs = 0;
  #requests = 0;
  readonly #settings: ReplaySettings;
  readonly #embedder: StaticEmbedder;
  readonly #memory: VectorMemory;
  readonly #similar: SimilarQuestions;
  readonly #merged: (pair: MergedPair) => void;

  constructor(settings: ReplaySettings, models: Pick<Models, 'embedder' | 'calibration' | 'verdicts'>, merged: (pair: MergedPair) => void) {
    this.#settings = settings;
    this.#embedder = models.embedder;
    this.#memory = new VectorMemory(models.embedder.dimensions);
    this.#similar = new SimilarQuestions({
      verdicts: models.verdicts,
      neural: settings.verification === 'balanced',
      maxWrongRate: settings.maxWrongRate,
      // Each cache serves other answers, and so has a budget of risk of its own.
      rates: settings.ttlsS.map(() => new WrongRates(models.calibration)),
    });
    this.#merged = merged;
  }

  /** Unix ms of the latest request; null where none had a time. */
  get lastMs(): number | null {
    return this.firstMs === null ? null : this.#clockMs;
  }

  get requests(): number {
    return this.#requests;
  }

  /** `line`: its number in the log. */
  async take(request: LoggedRequest, line: number): Promise<void> {
    const nowMs = this.#tick(request.atMs);
    const scope = scopeOf(request, this.#settings.scope);
    const allowed = eligibility(request.body, { byUser: scope.startsWith('user:'), flagged: false });
    const keys = cacheKeys(request.body, { tenant: request.tenant, scope, servedModel: request.model, endpoint: ENDPOINT });
    const { caches, tallies } = this.#tenant(request.tenant);
    caches.expire(nowMs);
    const { outcomes, vector } = await this.#look({ request, line, nowMs, allowed, keys, caches });
    for (const [n, outcome] of outcomes.entries()) tallies[n]?.take(allowed.semantic, request.answer.worth.costNanoUsd, outcome);
    keep({ request, line, nowMs, allowed, keys, caches }, outcomes, vector);
  }

  async #look(asked: Asked): Promise<Looked> {
    const { request, nowMs, allowed, keys, caches } = asked;
    const { worth } = request.answer;
    const exact = this.#settings.ttlsS.map((_, n): Worth | undefined => (allowed.exact ? caches.exact(n, keys.exact, nowMs) : undefined));
    const outcomes = exact.map((kept): Outcome => (kept === undefined ? { outcome: 'miss', reason: allowed.reason ?? 'no_entry' } : { outcome: 'exact', worth: saved(worth, kept) }));
    const left = exact.flatMap((kept, n) => (kept === undefined ? [n] : []));
    const text = lastUserText(request.body);
    if (left.length === 0 || !allowed.semantic || text === null || keys.fingerprint === null) return { outcomes, vector: null };

    // Equal normalised texts must have equal vectors, as in the semantic-cache.
    const { vector: floats, outOfDepth } = this.#embedder.embed(normaliseText(text));
    const vector = floats === null ? null : this.#memory.quantised(floats);
    const partition = caches.partition(keys.fingerprint);
    if (vector === null) for (const n of left) outcomes[n] = { outcome: 'miss', reason: outOfDepth ?? 'no_words' };
    if (vector === null || partition === null || partition.size === 0) return { outcomes, vector };

    const found = await this.#similar.find({ text, vector, partition, tenant: request.tenant, model: countedModel(request.model), nowMs }, left);
    for (const [n, similar] of found) {
      outcomes[n] = 'reason' in similar ? { outcome: 'miss', reason: similar.reason } : { outcome: 'semantic', worth: saved(worth, similar.question.worth), mean: similar.mean, upper: similar.wrong };
    }
    for (const similar of new Set(found.values())) if (!('reason' in similar)) this.#tell(similar, text, asked);
    return { outcomes, vector };
  }

  #tell({ question, kind, similarity, explanation, wrong }: Extract<Similar, { question: unknown }>, text: string, { request, line }: Asked): void {
    // The same words asked again are nothing that a person would have to look at.
    if (question.text !== text) this.#merged({ a: question.text, b: text, kind, similarity, explanation, tenant: request.tenant, lines: [question.line, line], wrong });
  }

  #tick(atMs: number | null): number {
    if (atMs === null) this.withoutTime++;
    else if (atMs < this.#clockMs) this.outOfOrder++;
    else this.#clockMs = atMs;
    if (atMs !== null) this.firstMs = Math.min(this.firstMs ?? atMs, atMs);
    if (++this.#requests % SWEEP_EVERY === 0) {
      for (const { caches } of this.tenants.values()) {
        caches.expire(this.#clockMs);
        caches.sweep();
      }
    }
    return this.#clockMs;
  }

  #tenant(name: string): Tenant {
    const known = this.tenants.get(name);
    if (known !== undefined) return known;
    const { ttlsS, exactTtlS } = this.#settings;
    const tenant = { caches: new TenantCaches({ ttlsS, exactTtlS, mostQuestions: MOST_QUESTIONS }, this.#memory), tallies: ttlsS.map(() => new Tally()) };
    this.tenants.set(name, tenant);
    return tenant;
  }
}

interface Asked {
  request: LoggedRequest;
  line: number;
  nowMs: number;
  allowed: Eligibility;
  keys: { exact: string; fingerprint: string | null };
  caches: TenantCaches;
}

/** Keeps the answer in the caches that had none. */
function keep({ request, line, nowMs, allowed, keys, caches }: Asked, outcomes: readonly Outcome[], vector: Quantised | null): void {
  const { worth, keptFor } = request.answer;
  if (keptFor === 'none' || !allowed.exact) return;
  const missed = outcomes.flatMap(({ outcome }, n) => (outcome === 'miss' ? [n] : []));
  for (const n of missed) caches.keepExact(n, keys.exact, worth, nowMs);
  const bits = missed.reduce((sum, n) => sum | (1 << n), 0);
  if (bits === 0 || keptFor !== 'similar' || vector === null || keys.fingerprint === null) return;
  caches.keepSimilar(keys.fingerprint, { text: lastUserText(request.body) ?? '', line, worth, caches: bits }, vector, nowMs);
}

/** What this request would have cost; where its line does not say, what the answer it is given had cost. */
const saved = (own: Worth, kept: Worth): Worth => ({ tokens: own.tokens ?? kept.tokens, costNanoUsd: own.costNanoUsd ?? kept.costNanoUsd, durationMs: own.durationMs ?? kept.durationMs });

/** Who shares answers, as the gateway has it: where they are shared by user and none is named, they stay with the key. */
function scopeOf({ user, key }: LoggedRequest, scope: ReplaySettings['scope']): string {
  if (scope === 'tenant') return 'tenant';
  return scope === 'user' && user !== null ? `user:${user}` : `key:${key ?? ''}`;
}
