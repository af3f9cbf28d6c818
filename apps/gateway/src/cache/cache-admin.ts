import type { BodyOf, ReplyOf } from '@deja/admin-api';
import { countedModel, covers, DejaError, newId, type AdminChange, type AuditedChange, type CachedAnswer, type Invalidation, type RouterRpc, type SemanticCacheEvents } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { Counter, Meter } from '@opentelemetry/api';
import { answered, type Answer, type Handler } from '../admin/operation-call.ts';
import { AnswerCensus } from './answer-census.ts';
import { CacheFigures, spanOf, type FigureSources } from './cache-figures.ts';
import { MOST_INVALIDATIONS, type Invalidations } from './invalidations.ts';
import { MOST_SIMILAR, rulesFor, SimilarAnswers, type AskSimilar } from './similar-answers.ts';

export interface CacheAdminParts extends FigureSources {
  /** Where the answers are. */
  cache: RedisClient;
  invalidations: Invalidations;
  /** Has a change put into the audit log. Rejects with what the operator is to be told. */
  audit: (change: AuditedChange) => Promise<RouterRpc['audit']['reply']>;
  /** Tells the semantic-cache; for better hits only, and so never waited for. */
  announce: (rule: SemanticCacheEvents['invalidate']) => Promise<void>;
  /** Tells it what was said of an answer; never waited for either. */
  tellFeedback: (feedback: SemanticCacheEvents['feedback']) => Promise<void>;
  /** Asks it for answers to questions like one. */
  askSimilar: AskSimilar;
  meter: Meter;
  logger: Pick<Logger, 'info' | 'debug'>;
  /** Unix ms. */
  now: () => number;
  census?: AnswerCensus;
}

type Conditions = Pick<Invalidation, 'tenant' | 'model' | 'tag' | 'entry'>;

/** What the audited change comes to; kept by the router, so that a repetition puts the same into force and answers the same. */
type Outcome<Reply> = { reply: Reply } & ({ rule: Invalidation } | { /** One for each answer that is meant. */ rules: Invalidation[] });

/** What the audit log is to have of a change. */
type Audited = Pick<AuditedChange, 'action' | 'resourceId' | 'tenant' | 'after'>;

/** The cache in the admin API: what it holds and saves, and taking answers back. */
export class CacheAdmin {
  private readonly parts: CacheAdminParts;
  private readonly census: AnswerCensus;
  private readonly figures: CacheFigures;
  private readonly similar: SimilarAnswers;
  private readonly feedbacks: Counter;

  constructor(parts: CacheAdminParts) {
    this.parts = parts;
    this.census = parts.census ?? new AnswerCensus(parts.cache);
    this.figures = new CacheFigures(this.census, parts);
    this.similar = new SimilarAnswers(parts.cache, parts.invalidations, parts.askSimilar);
    this.feedbacks = parts.meter.createCounter('deja.gateway.cache.feedback', { description: 'What was said of cached answers by the admin API: whether they were correct' });
    for (const correct of [true, false]) this.feedbacks.add(0, { correct });
  }

  readonly stats: Handler<'cacheStats'> = async ({ query, change }) => {
    const tenant = tenantOf(query.tenant, change);
    const span = spanOf(query, this.parts.now());
    return answered(await onRedis(() => this.figures.stats(tenant, span)));
  };

  readonly invalidate: Handler<'invalidateCache'> = async ({ body, sent, change }) => {
    const conditions = conditionsOf(body, change);
    const rule = await this.ruleOf(conditions, body.older_than_s);
    if (body.similar_to !== undefined) return await this.invalidateSimilar(body.similar_to, body, rule, change);
    refuseAlone(sent.body);
    const counted = await onRedis(() => this.census.count(conditions.tenant, (answer) => covers(rule, answer) && !this.parts.invalidations.covers(answer)));
    const reply = { object: 'cache_invalidation' as const, ...counted, dry_run: body.dry_run };
    if (body.dry_run) return answered(reply);
    // Counting takes its time: what was kept in the meantime is taken back too.
    const outcome = { reply, rule: await this.ruleOf(conditions, body.older_than_s) };
    return await this.carriedOut(change, audited('invalidateCache', outcome.rule, { older_than_s: body.older_than_s ?? 0 }), outcome);
  };

  /** Throws `conflict`, and changes nothing, where more answers are meant than there may be rules for. */
  private async invalidateSimilar(text: string, body: BodyOf<'invalidateCache'>, conditions: Invalidation, change: AdminChange): Promise<Answer<ReplyOf<'invalidateCache'>>> {
    const { min_similarity: minSimilarity, older_than_s: olderThanS = 0, dry_run: dryRun } = body;
    const { answers, partial } = await onRedis(() => this.similar.find({ text, minSimilarity }, conditions));
    const reply = { object: 'cache_invalidation' as const, entries: answers.length, partial, dry_run: dryRun, matches: answers.slice(0, MOST_SIMILAR) };
    if (dryRun) return answered(reply);
    if (partial || answers.length > MOST_SIMILAR) {
      throw new DejaError('conflict', `There are more than ${MOST_SIMILAR} answers to questions so near to this one. Raise min_similarity, or narrow it down by another condition.`, { param: 'min_similarity' });
    }
    const held = this.parts.invalidations.all.length;
    if (held + answers.length > MOST_INVALIDATIONS) {
      throw new DejaError('conflict', `It takes ${answers.length} invalidations, and there are ${held} of at most ${MOST_INVALIDATIONS} whose answers are still being deleted. Try again in some minutes, or take back more at once.`);
    }
    // Nothing is to be done, nor to be audited; but what was done under an idempotency key is for the router to repeat.
    if (answers.length === 0 && change.idempotency === null) return answered(reply);
    const how = { similar_to: text, min_similarity: minSimilarity, older_than_s: olderThanS, entries: answers.map(({ entry }) => entry) };
    return await this.carriedOut(change, audited('invalidateCache', conditions, how), { reply, rules: rulesFor(answers, conditions.madeAtMs) });
  }

  readonly feedback: Handler<'cacheFeedback'> = async ({ body, change }) => {
    const { entry, correct } = body;
    const asked = tenantOf(body.tenant, change);
    const found = await onRedis(() => this.census.find(entry, asked));
    if (found === null) throw new DejaError('not_found', 'There is no cached answer of this id.', { param: 'entry' });
    // Not found among as many as are looked at: only what is said to be wrong can be taken back all the same, and only where it may be anybody's.
    if (found === undefined && (correct || asked !== null)) {
      throw new DejaError('conflict', 'The cache holds too many answers to be searched for this id. POST cache/invalidate with this entry needs no search.', { param: 'entry' });
    }
    const tenant = found?.tenant ?? null;
    this.feedbacks.add(1, { correct });
    this.parts.logger.info({ entry, tenant, correct, by: change.by.id, request_id: change.by.requestId }, 'feedback on a cached answer');
    const isTakenBack = await this.isTakenBack(found);
    const reply = { object: 'cache_feedback' as const, entry, correct, invalidated: !correct || isTakenBack };
    if (correct && found !== undefined) this.tell(found, correct);
    // Nothing is to be done, nor to be audited; but what was done under an idempotency key is for the router to repeat.
    if (correct || (isTakenBack && change.idempotency === null)) return answered(reply);
    const rule = await this.ruleOf({ tenant, model: null, tag: null, entry }, 0);
    const answer = await this.carriedOut(change, audited('cacheFeedback', rule, { correct }), { reply, rule });
    // What was taken back before was counted then.
    if (found !== undefined && !isTakenBack && !answer.replayed) this.tell(found, correct);
    return answer;
  };

  /** Answers are counted by the model that was asked for, as look-ups name it. */
  private tell({ tenant, entry, model, asked }: CachedAnswer, correct: boolean): void {
    this.parts.tellFeedback({ tenant, model: asked ?? model, entry, correct }).catch((error: unknown) => this.parts.logger.debug({ err: error, entry }, 'the semantic-cache could not be told of feedback'));
  }

  /** First into the audit log, then into force. */
  private async carriedOut<Reply>(change: AdminChange, entry: Audited, outcome: Outcome<Reply>): Promise<Answer<Reply>> {
    const { outcome: kept, replayed } = await this.parts.audit({ ...entry, change, resource: 'cache', outcome });
    // Whoever made it before may have come no further than this.
    const made = kept as Outcome<Reply>;
    const rules = 'rules' in made ? made.rules : [made.rule];
    await onRedis(() => this.parts.invalidations.add(...rules));
    for (const rule of rules) this.announce(rule);
    return { ...answered(made.reply), replayed };
  }

  private announce(rule: Invalidation): void {
    this.parts.announce(rule).catch((error: unknown) => this.parts.logger.debug({ err: error, invalidation: rule.id }, 'the semantic-cache could not be told of an invalidation'));
  }

  private async ruleOf(conditions: Conditions, olderThanS = 0): Promise<Invalidation> {
    const nowMs = await onRedis(() => this.parts.invalidations.timeMs());
    return { id: newId(), ...conditions, beforeMs: nowMs - olderThanS * 1000, madeAtMs: nowMs };
  }

  private async isTakenBack(answer: CachedAnswer | undefined): Promise<boolean> {
    await onRedis(() => this.parts.invalidations.check());
    return answer !== undefined && this.parts.invalidations.covers(answer);
  }
}

/** Whose answers are meant: those of the tenant that is named, or of the caller's own; null: of all. Throws `not_found` for another's. */
function tenantOf(named: string | undefined, { by }: AdminChange): string | null {
  if (by.tenant !== null && named !== undefined && named !== by.tenant) throw new DejaError('not_found', 'There is no such tenant.', { param: 'tenant' });
  return named ?? by.tenant;
}

function conditionsOf({ tenant, model, tag, entry }: BodyOf<'invalidateCache'>, change: AdminChange): Conditions {
  return { tenant: tenantOf(tenant, change), model: model === undefined ? null : countedModel(model), tag: tag ?? null, entry: entry ?? null };
}

/** A bound for nothing is a mistake that would take back everything. */
function refuseAlone(sent: unknown): void {
  if (typeof sent === 'object' && sent !== null && 'min_similarity' in sent) {
    throw new DejaError('invalid_value', "Invalid value for 'min_similarity': say with 'similar_to' what the questions are to be like.", { param: 'min_similarity' });
  }
}

function audited(action: string, { tenant, model, tag, entry, beforeMs }: Invalidation, how: Record<string, unknown>): Audited {
  return { action, resourceId: entry, tenant, after: { tenant, model, tag, entry, ...how, before: new Date(beforeMs).toISOString() } };
}

async function onRedis<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof DejaError) throw cause;
    throw new DejaError('overloaded', 'The cache cannot be reached at the moment. Try again shortly, with the same Idempotency-Key where this changes something.', { retryAfterMs: 1000, cause });
  }
}
