import type { ServerResponse } from 'node:http';
import { exactCacheKey } from '@deja/cache-key';
import { DejaError, exactKey, type Candidate, type Plan, type Principal, type RoutingSnapshot, type Usage } from '@deja/contracts';
import { estimate, upperBound } from '@deja/tokens';
import type { Attempts } from '../attempt/attempts.ts';
import type { Exchange } from '../attempt/exchange.ts';
import type { AnswerStore, CachePlace } from '../cache/answer-store.ts';
import { cacheWishes } from '../cache/directives.ts';
import { cachePolicyOf } from '../cache/policy.ts';
import { encodeEntry, type CacheEntry, type KeptAnswer } from '../cache/entry.ts';
import { scopeOf } from '../cache/scope.ts';
import { capturedFor } from '../capture/captured.ts';
import type { Guard } from '../guard/guard.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Reservations } from '../limits/reservations.ts';
import type { Operation } from '../operation/operation.ts';
import { headerText } from '../operation/request-headers.ts';
import type { Endpoint } from '../pipeline/endpoint.ts';
import { requirementsOf } from '../plan/needs.ts';
import type { Planner } from '../plan/planner.ts';
import type { RoutingTable } from '../plan/routing-table.ts';
import type { QuotaAdmission } from '../quotas/quota-admission.ts';
import { sendWhole } from '../reply/reply.ts';
import type { Validator } from '../validate/validator.ts';
import { EMBEDDINGS_PATH, embeddingsExchange, unsuitedForEmbeddings } from './embeddings-exchange.ts';
import { inputParts, parseEmbeddingsRequest, tooManyInputs, type EmbeddingsRequest } from './embeddings-request.ts';
import { asEmbeddings, embeddingsReply, embeddingsShape, sharesOf, type KeptVector } from './vectors.ts';

/** What validation and guard need to know of `POST /v1/embeddings`; its way is its own, because each input is cached by itself. */
export const EMBEDDINGS: Endpoint<EmbeddingsRequest> = {
  path: EMBEDDINGS_PATH,
  genAiOperation: 'embeddings',
  defaultModel: null,
  textMembers: ['input'],
  parse: parseEmbeddingsRequest,
  unsuited: unsuitedForEmbeddings,
  eligibility: () => ({ exact: true, semantic: false, reason: null }),
  exchange: (request, { candidate }) => embeddingsExchange(request, request.inputs, candidate),
  replay: () => [],
};

/** One input's place in the cache, and what was found there. */
interface Place {
  key: string;
  entry: (CacheEntry & { vector: KeptVector }) | null;
}

/** What a provider gave for some of the inputs. */
interface Bought {
  indexes: number[];
  candidate: Candidate;
  /** One for each of `indexes`. */
  vectors: KeptVector[];
  inOrder: boolean;
  body: Buffer;
  usage: Usage | null;
}

/** Whether all that was found comes from one model, as a fallback's answers need not. */
const ofOneModel = (places: Place[]): boolean => new Set(places.flatMap(({ entry }) => entry?.vector.model ?? [])).size <= 1;

/** The way of one embeddings request: like any other, but each input is looked up and kept by itself, and only the missing ones are bought. */
export class EmbeddingsPipeline {
  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly validator: Validator,
    private readonly guard: Guard,
    private readonly planner: Planner,
    private readonly reservations: Reservations,
    private readonly quotas: QuotaAdmission,
    private readonly attempts: Attempts,
    private readonly answers: AnswerStore,
  ) {}

  async answer(operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    // 2 Authenticate
    const principal = await operation.timed('auth', () => this.keys.authenticateKnown(operation) ?? this.keys.authenticate(operation));
    operation.principal = principal;
    const snapshot = this.routing.snapshot();
    operation.captured = capturedFor(principal, snapshot.settings);
    operation.captured?.came(bytes);
    // 3 Validate
    const validated = await operation.timed('validate', () => this.validator.validate(EMBEDDINGS, operation, principal, bytes, snapshot));
    operation.asks(EMBEDDINGS.genAiOperation, validated.request.body.value);
    const { promptTokens } = validated;
    const tooMany = tooManyInputs(validated.request);
    if (tooMany !== null) throw new DejaError('invalid_value', tooMany, { param: 'input' });
    // 4 Guard
    const request = await operation.timed('guard', () => this.guard.prompt(EMBEDDINGS, operation, validated.request, snapshot));
    operation.captured?.asked(request.body, EMBEDDINGS.textMembers);
    const moderation = this.guard.moderate(EMBEDDINGS, operation, request, snapshot);
    // 5 Plan
    const plan = await operation.timed('plan', () =>
      this.planner.plan(snapshot, {
        model: request.model,
        tenant: principal.tenant,
        // The window of such a model bounds each input, not all of them together.
        promptTokens: 0,
        requires: requirementsOf(headerText(operation.headers['x-deja-require'])),
        unsuited: (deployment, upstreamModel) => unsuitedForEmbeddings(request, { deployment, upstreamModel }),
      }),
    );
    // 6 Reserve, 7 Look up
    const { place, places } = await operation.timed('reserve', () => this.reserve(operation, principal, request, promptTokens, plan, snapshot));
    const missing = places.flatMap(({ entry }, index) => (entry === null ? [index] : []));
    if (missing.length === 0) return replyFromCache(operation, places, response);
    if (moderation !== null) await operation.waited('guard', () => moderation);
    if (place.wishes.onlyIfCached) throw new DejaError('cache_miss', 'The cache holds no answer to this request, and the request allows no other.');
    // 8 Attempt
    const buy = (indexes: number[]): Promise<Bought> => operation.timed('upstream', () => this.buy(operation, request, indexes, promptTokens, plan, snapshot));
    let bought = await buy(missing);
    // Vectors of two models have no common space: where another model answers than gave the known ones, all are bought from it.
    const known = places.find(({ entry }) => entry !== null)?.entry?.vector.model;
    const partial = missing.length < places.length && known === bought.vectors[0]?.model;
    if (!partial && missing.length < places.length) bought = await buy([...places.keys()]);
    operation.servedModel = bought.candidate.model;
    if (partial) operation.cacheReason = 'partial_hit';
    // 9 Reply: the provider's own bytes where it gave everything, in order
    const all = places.map(({ entry }, index) => bought.vectors[bought.indexes.indexOf(index)] ?? entry?.vector ?? { embedding: [], tokens: 0, model: '' });
    operation.captured?.repliedAs(embeddingsShape(all));
    sendWhole(response, operation, partial || bought.usage === null || !bought.inOrder ? embeddingsReply(all) : bought.body);
    // 10 Settle, by the front door
    if (place.wishes.write && place.exactKey !== null) operation.kept = bought.indexes.flatMap((index, i) => this.kept(operation, place, places[index]?.key ?? '', bought.candidate, bought.vectors[i]));
  }

  /** Some of the inputs from a provider. */
  private async buy(operation: Operation, request: EmbeddingsRequest, indexes: number[], promptTokens: number, plan: Plan, { settings }: RoutingSnapshot): Promise<Bought> {
    const inputs = indexes.map((index) => request.inputs[index] ?? '');
    // Of a call for some of the inputs, the estimate is of those.
    const tokens = inputs.length === request.inputs.length ? promptTokens : estimate(inputParts(inputs));
    const exchange = (candidate: Candidate): Exchange => embeddingsExchange(request, inputs, candidate);
    const answer = await this.attempts.run(operation, { genAiOperation: EMBEDDINGS.genAiOperation, stream: false, promptTokens: tokens, exchange }, plan, settings);
    if (answer.kind !== 'whole') throw new Error('embeddings do not stream');
    const { body, usage } = answer.reply;
    return { indexes, candidate: answer.candidate, body, usage, ...vectorsOf(body, inputs, operation.servingAttempt?.usage ?? null) };
  }

  private async reserve(operation: Operation, principal: Principal, request: EmbeddingsRequest, promptTokens: number, plan: Plan, snapshot: RoutingSnapshot): Promise<{ place: CachePlace; places: Place[] }> {
    const { settings } = snapshot;
    const policy = cachePolicyOf(settings.cache, principal.cache);
    const wishes = cacheWishes(operation.headers, policy);
    operation.cache = wishes.bypass === null && wishes.exact ? 'MISS' : 'BYPASS';
    operation.cacheReason = wishes.bypass ?? (wishes.exact ? null : 'disabled');
    const { tenant } = principal;
    const scope = scopeOf(policy.scope, principal, operation.user);
    const keys = wishes.exact ? keysOf(request).map((body) => exactKey(tenant, exactCacheKey(body, { tenant, scope, servedModel: request.model, endpoint: EMBEDDINGS_PATH }))) : [];
    const place: CachePlace = { wishes, tenant, exactKey: keys[0] ?? null, partition: null, text: '', rules: this.guard.rulesName(snapshot) };
    const reads = wishes.read && operation.cache !== 'BYPASS' ? keys : [];
    const reserved = await this.reservations.reserve(operation, snapshot, {
      promptTokens, mostPromptTokens: () => upperBound(request.parts), outputTokens: 0, choices: 1, plan, exactKeys: reads, presenceKey: null, quotas: this.quotas.prepare(operation, plan.candidates, promptTokens),
    });
    if (reserved.degraded) operation.cacheReason = 'cache_unavailable';
    else if (operation.cache === 'MISS') operation.cacheReason = 'no_entry';
    const places = request.inputs.map((_, index) => ({ key: keys[index] ?? '', entry: this.found(reserved.exact[index] ?? null, place) }));
    return { place, places: ofOneModel(places) ? places : places.map(({ key }) => ({ key, entry: null })) };
  }

  private found(value: Buffer | null, place: CachePlace): Place['entry'] {
    const entry = this.answers.usable(value, place);
    return entry && { ...entry, vector: JSON.parse(entry.body.toString('utf8')) as KeptVector };
  }

  private kept(operation: Operation, place: CachePlace, key: string, candidate: Pick<Candidate, 'model' | 'deployment'>, vector: KeptVector | undefined): KeptAnswer[] {
    if (vector === undefined) return [];
    const usage: Usage = { promptTokens: vector.tokens, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
    const meta = this.answers.metaOf(operation, place, candidate, usage);
    if (meta === null) return [];
    return [{ value: encodeEntry({ meta, body: Buffer.from(JSON.stringify(vector)) }), exact: { key, ttlS: place.wishes.exactTtlS }, similar: null }];
  }
}

/** Every input was known: an exact hit, as old as its oldest part. */
function replyFromCache(operation: Operation, places: Place[], response: ServerResponse): void {
  const entries = places.flatMap(({ entry }) => entry ?? []);
  const oldest = entries.reduce((a, b) => (b.meta.createdAtMs < a.meta.createdAtMs ? b : a));
  const usage = entries.reduce<Usage>((sum, { meta }) => ({ ...sum, promptTokens: sum.promptTokens + (meta.usage?.promptTokens ?? 0) }), { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 });
  const vectors = entries.map(({ vector }) => vector);
  const body = embeddingsReply(vectors);
  operation.captured?.repliedAs(embeddingsShape(vectors));
  operation.servedFromCache({ meta: { ...oldest.meta, usage }, body, similarity: null }, 'exact');
  sendWhole(response, operation, body);
}

/** The vectors of a reply in the order of their inputs, each with its share of the tokens; and whether they came in that order. */
function vectorsOf(body: Buffer, inputs: EmbeddingsRequest['inputs'], usage: Usage | null): Pick<Bought, 'vectors' | 'inOrder'> {
  const { data, model } = asEmbeddings(body, inputs.length);
  const shares = sharesOf(usage?.promptTokens ?? 0, inputs.map((input) => input.length));
  const byIndex = new Map(data.map((item) => [item.index, item.embedding]));
  const vectors = inputs.map((_, index) => ({ embedding: byIndex.get(index) ?? [], tokens: shares[index] ?? 0, model: typeof model === 'string' ? model : '' }));
  return { vectors, inOrder: data.every(({ index }, i) => index === i) };
}

/** For each input, the request that asks for it alone. Its encoding stays in: a kept vector is served as it came. */
function keysOf({ body, inputs }: EmbeddingsRequest): { text: string; value: Record<string, unknown> }[] {
  return inputs.map((input) => {
    const value: Record<string, unknown> = { ...body.value, encoding_format: body.value['encoding_format'] ?? 'float', input };
    return { value, text: JSON.stringify(value) };
  });
}
