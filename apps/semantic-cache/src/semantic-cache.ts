import { trace } from '@opentelemetry/api';
import { DejaError, type Invalidation, type SemanticCacheRpc, type SemanticMatch } from '@deja/contracts';
import { normaliseText } from '@deja/cache-key';
import { inSpan, isRecorded } from '@deja/telemetry';
import type { OutOfDepth, StaticEmbedder, WrongRates } from '@deja/similarity';
import type { Verification, Verified } from './decide/verification.ts';
import type { LocalEmbedder } from './embedder-choice.ts';
import type { Entries } from './entries/entries.ts';
import { readVector, type NamedVector } from './entries/given-vector.ts';
import type { AuditMessage, FeedbackMessage, JudgedMessage, LookupMessage, SimilarMessage, StoreMessage, WrongRatesMessage } from './entries/messages.ts';
import type { Presence } from './entries/presence.ts';
import { sameAnswer } from './evidence/compared-answers.ts';
import type { EvidenceLog, EvidenceRecord } from './evidence/evidence-log.ts';
import { pairKey, type Judgements } from './evidence/judgements.ts';
import type { IndexEntry } from './index/entry.ts';
import { RecentEmbeddings } from './recent-embeddings.ts';

/** How many neighbours are verified, and how near they must be. Measured: docs/caching.md. */
const CANDIDATES = 10;
const FLOOR = 0.5;
/** What a reply needs to get back in time. */
const REPLY_MS = 10;
/** A look-up that says no deadline is not waited for by anybody for longer than this. */
const LONGEST_MS = 1000;

export type LookupReply = SemanticCacheRpc['lookup']['reply'];
export type MissReason = OutOfDepth | 'too_late' | 'no_candidate' | 'not_verified' | 'unjudged' | 'embedder_unavailable' | 'index_unavailable' | 'too_risky' | 'stopped';
export type StoreOutcome = 'stored' | 'expired' | 'embedder_unavailable' | OutOfDepth;
export type AuditOutcome = 'same' | 'different' | 'undecided';

/** Until when an answer is of use, as the caller said. */
export interface Urgency {
  signal: AbortSignal;
  /** Unix ms; null for none. */
  deadlineMs: number | null;
}

export interface SemanticCacheParts {
  /** Always there: for what comes without a vector, unless another one is configured, and for comparing answers. */
  builtIn: StaticEmbedder;
  /** For what comes without a vector. */
  local: () => LocalEmbedder;
  entries: Entries;
  verification: Verification;
  /** The share of wrong answers that the settings allow where no tenant or model says otherwise. In [0, 1]. */
  usualBound: () => number;
  /** With no evidence but the shipped calibration. */
  newRates: () => WrongRates;
  judgements: Judgements;
  evidence: EvidenceLog;
  presence: Presence;
  now: () => number;
  /** In [0, 1). */
  random: () => number;
}

type Vector = { vector: NamedVector; reason: null } | { vector: null; reason: OutOfDepth | 'embedder_unavailable' };

/** What this app does. Every replica is alike: entries and evidence come from what all of them read. */
export class SemanticCache {
  private readonly parts: SemanticCacheParts;
  private readonly builtIn: RecentEmbeddings;
  private rates: WrongRates;

  constructor(parts: SemanticCacheParts) {
    this.parts = parts;
    this.builtIn = new RecentEmbeddings(parts.builtIn);
    this.rates = parts.newRates();
  }

  /** Embed, search, verify, decide. A miss is an answer, not an error. */
  async lookup(request: LookupMessage, urgency: Urgency): Promise<LookupReply> {
    const reply = await this.looked(request, urgency);
    tellSpan(reply);
    return reply;
  }

  private async looked(request: LookupMessage, urgency: Urgency): Promise<LookupReply> {
    const nowMs = this.parts.now();
    if (urgency.signal.aborted || (urgency.deadlineMs !== null && nowMs >= urgency.deadlineMs)) return miss('too_late');
    const { vector, reason } = await step('embed', () => this.vectorOf(request));
    if (vector === null) return miss(reason);
    const candidates = await step('search', () => this.parts.entries.search(request, { vector, limit: CANDIDATES, floor: FLOOR, nowMs })).catch(() => null);
    if (candidates === null) return miss('index_unavailable');
    const ours = candidates.filter(({ entry }) => belongsTo(entry, request, nowMs));
    if (ours.length === 0) return miss('no_candidate');
    const leftMs = (urgency.deadlineMs ?? nowMs + LONGEST_MS) - REPLY_MS - this.parts.now();
    const verified = await step('verify', () => this.parts.verification.verify(request.text, ours, request.policy, { leftMs, signal: urgency.signal }));
    return verified.length === 0 ? miss('not_verified') : this.decide(request, verified);
  }

  /** Makes an answer findable for all replicas. Rejects when it was not taken. */
  async store(message: StoreMessage): Promise<StoreOutcome> {
    const nowMs = this.parts.now();
    if (message.expiresAtMs <= nowMs) return 'expired';
    const { vector, reason } = await this.vectorOf(message);
    if (vector === null) return reason;
    // Beside each other, and so in one round trip: a partition that is announced a moment before it holds anything costs a look-up at most.
    await Promise.all([this.parts.entries.store(message, vector), this.parts.presence.announce(message, nowMs)]);
    return 'stored';
  }

  /** Has all replicas forget what was taken back, so that it does not stand before what may be served. Rejects when it was not taken. */
  async invalidate(invalidation: Invalidation): Promise<void> {
    await this.parts.entries.invalidate(invalidation);
  }

  /** Learns from an answer that the provider gave in place of a would-be hit. Rejects when it was not taken. */
  async audit({ tenant, model, entry, kind, similarity, refused, same, answers }: AuditMessage): Promise<AuditOutcome> {
    const found = same ?? (answers && sameAnswer(this.parts.builtIn, answers.kept, answers.fresh));
    if (found === null) return 'undecided';
    await this.parts.evidence.append({ observation: { atMs: this.parts.now(), tenant, model, entry, kind, similarity, wrong: !found, source: 'audit', ...(refused && { refused }) } });
    return found ? 'same' : 'different';
  }

  /** Learns from what an operator said of an answer. For which question is not known: it counts as the surest kind of match. Rejects as `audit`. */
  async feedback({ tenant, model, entry, correct }: FeedbackMessage): Promise<void> {
    await this.parts.evidence.append({ observation: { atMs: this.parts.now(), tenant, model, entry, kind: 'surface', similarity: 1, wrong: !correct, source: 'feedback' } });
  }

  /** Remembers a judge's word. Rejects as `audit`. */
  async judged({ text, entry, same, ...partition }: JudgedMessage): Promise<void> {
    await this.parts.evidence.append({ judgement: { pair: pairKey(partition, entry, text), same } });
  }

  wrongRates({ tenant }: WrongRatesMessage): SemanticCacheRpc['wrong_rates']['reply'] {
    return { rates: this.rates.rates(tenant, this.parts.now(), this.parts.usualBound()) };
  }

  /** Entries whose question is near to this text. Throws `invalid_value` for a text that has no vector, `overloaded` where no vector is to be had now. */
  async similar({ tenant, minSimilarity, limit, ...asked }: SimilarMessage): Promise<SemanticCacheRpc['similar']['reply']> {
    if (this.parts.local() === 'bought') throw new DejaError('invalid_value', 'Questions cannot be searched by similarity where a provider embeds them.', { param: 'text' });
    const { vector, reason } = await this.vectorOf(asked);
    if (reason === 'embedder_unavailable') throw new DejaError('overloaded', 'The embedder cannot be had at the moment.', { retryAfterMs: 1000 });
    if (vector === null) throw new DejaError('invalid_value', 'Nothing can be said of what is similar to this text: the embedder does not know enough of its words.', { param: 'text' });
    const found = await this.parts.entries.searchAll(tenant, { vector, limit: limit + 1, floor: minSimilarity, nowMs: this.parts.now() });
    const entries = found.slice(0, limit).map(({ entry, similarity }) => ({ tenant: entry.tenant, entry: entry.entry, text: entry.text, similarity: rounded(similarity) }));
    return { entries, tooMany: found.length > limit };
  }

  /** Takes what the evidence log says. */
  learn(records: readonly EvidenceRecord[]): void {
    for (const record of records) {
      if ('observation' in record) this.rates.observe(record.observation);
      else this.parts.judgements.learn(record.judgement);
    }
  }

  /** Redis was emptied: what was read of the evidence log is void. */
  forgetEvidence(): void {
    this.rates = this.parts.newRates();
    this.parts.judgements.clear();
  }

  /** The surest match that the policy lets through. */
  private decide(request: LookupMessage, verified: readonly Verified[]): LookupReply {
    const { tenant, model, policy } = request;
    let reason: MissReason = 'not_verified';
    let unjudged: (SemanticMatch & { text: string }) | null = null;
    for (const { entry, similarity, kind, explanation } of verified) {
      const match = { entry: entry.entry, similarity: rounded(similarity), kind, explanation };
      const word = policy.judged && kind !== 'same_text' ? this.parts.judgements.about(pairKey(request, entry.entry, request.text)) : true;
      if (word === false) continue;
      const question = { tenant, model, entry: entry.entry, kind, similarity, maxWrongRate: policy.maxWrongRate, auditShare: policy.auditShare };
      if (word === undefined) {
        unjudged ??= { ...match, wrong: this.rates.assess(question, this.parts.now()).wrong, text: entry.text };
        continue;
      }
      const decision = this.rates.decide(question, { nowMs: this.parts.now(), random: this.parts.random() });
      if (decision.decision === 'refuse') {
        reason = decision.reason;
        continue;
      }
      if (decision.decision === 'serve') return { outcome: 'hit', ...match, wrong: decision.wrong };
      return { outcome: 'audit', refused: decision.reason === 'too_risky', ...match, wrong: decision.wrong };
    }
    return unjudged === null ? miss(reason) : { ...miss('unjudged'), unjudged };
  }

  /** Equal normalised texts must have equal vectors, or the search could pass over what the verification would accept. */
  private async vectorOf({ text, vector: given }: Pick<LookupMessage, 'text' | 'vector'>): Promise<Vector> {
    if (given !== undefined) {
      const vector = readVector(given);
      return vector === null ? { vector, reason: 'embedder_unavailable' } : { vector, reason: null };
    }
    const local = this.parts.local();
    if (typeof local === 'string') return { vector: null, reason: 'embedder_unavailable' };
    const embedder = local ?? this.parts.builtIn;
    const embedding = local === null ? this.builtIn.embed(text) : await Promise.resolve(local.embed(normaliseText(text))).catch(() => null);
    if (embedding === null) return { vector: null, reason: 'embedder_unavailable' };
    if (embedding.vector === null) return { vector: null, reason: embedding.outOfDepth };
    return { vector: { embedder: embedder.name, values: embedding.vector }, reason: null };
  }
}

/** A part of a look-up, with a span where its trace is recorded. */
const step = async <T>(name: string, run: () => T | Promise<T>): Promise<T> => (isRecorded() ? inSpan(`semantic-cache.${name}`, run) : run());

/** What came of a look-up, on the span of the call: nothing of what was asked. */
function tellSpan(reply: LookupReply): void {
  trace.getActiveSpan()?.setAttributes(reply.outcome === 'miss' ? { 'deja.semantic.outcome': 'miss', 'deja.semantic.reason': reply.reason } : { 'deja.semantic.outcome': reply.outcome, 'deja.semantic.kind': reply.kind, 'deja.semantic.similarity': reply.similarity });
}

const rounded = (similarity: number): number => Math.round(similarity * 1e4) / 1e4;
const miss = (reason: MissReason): Extract<LookupReply, { outcome: 'miss' }> => ({ outcome: 'miss', reason });

/** The index filters by all of these already; an answer that crosses a tenant is worth checking twice. */
function belongsTo(entry: IndexEntry, request: LookupMessage, nowMs: number): boolean {
  return entry.tenant === request.tenant && entry.scope === request.scope && entry.fingerprint === request.fingerprint && entry.expiresAtMs > nowMs;
}
