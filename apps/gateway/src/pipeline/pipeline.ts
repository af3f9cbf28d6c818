import type { ServerResponse } from 'node:http';
import { cacheKeys } from '@deja/cache-key';
import { cacheEntryKey, DejaError, exactKey, semanticPresenceKey, type Candidate, type Plan, type Principal, type RoutingSnapshot } from '@deja/contracts';
import { modelFacts } from '@deja/pricing';
import type { PlanNeed } from '@deja/routing';
import { upperBound } from '@deja/tokens';
import { AttemptFailure } from '../attempt/failure.ts';
import { NOTHING_STORED, type Exchange } from '../attempt/exchange.ts';
import { keptReply, type Answer } from '../attempt/answer.ts';
import type { Attempts, Question } from '../attempt/attempts.ts';
import { copiedBody, type Shadows } from '../attempt/shadow.ts';
import type { AnswerStore, CachePlace } from '../cache/answer-store.ts';
import { cacheWishes } from '../cache/directives.ts';
import { cachePolicyOf } from '../cache/policy.ts';
import { scopeOf } from '../cache/scope.ts';
import type { SemanticLookup } from '../cache/semantic-lookup.ts';
import type { Guard } from '../guard/guard.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { reservedTokens, type Reservations } from '../limits/reservations.ts';
import type { Reserved } from '../limits/reserve.ts';
import { AnswerMemory } from '../objects/answer-memory.ts';
import { pinOf } from '../objects/pin.ts';
import type { StoredObjects } from '../objects/stored-objects.ts';
import { headerText, type Operation } from '../operation/operation.ts';
import { abilitiesOf, affinityKeyOf, requirementsOf } from '../plan/needs.ts';
import type { Planner } from '../plan/planner.ts';
import type { RoutingTable } from '../plan/routing-table.ts';
import type { QuotaAdmission } from '../quotas/quota-admission.ts';
import { StreamedReply } from '../reply/streamed-reply.ts';
import { sendWhole } from '../reply/reply.ts';
import { promptMember, type Validator } from '../validate/validator.ts';
import type { ApiRequest, Endpoint, ExchangeContext } from './endpoint.ts';

type Pin = NonNullable<PlanNeed['pin']>;

/** One request on its way: what validation and guard made of it, under the settings it began with. */
interface Journey {
  endpoint: Endpoint;
  operation: Operation;
  principal: Principal;
  request: ApiRequest;
  promptTokens: number;
  /** What the turns of its conversation have in common; null where it matters to nobody. */
  affinityKey: string | null;
  snapshot: RoutingSnapshot;
  response: ServerResponse;
}

/** The way of one request that a model answers, top to bottom. */
export class Pipeline {
  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly validator: Validator,
    private readonly guard: Guard,
    private readonly objects: StoredObjects,
    private readonly planner: Planner,
    private readonly reservations: Reservations,
    private readonly quotas: QuotaAdmission,
    private readonly semantic: SemanticLookup,
    private readonly attempts: Attempts,
    private readonly shadows: Shadows,
    private readonly answers: AnswerStore,
  ) {}

  /** Steps 2 to 9 of docs/architecture.md; receiving and settling are the front door's. Rejects with what the client is to be told. */
  async answer<R extends ApiRequest>(endpoint: Endpoint<R>, operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    // 2 Authenticate
    const principal = await operation.timed('auth', () => this.keys.authenticate(operation));
    operation.principal = principal;
    const snapshot = this.routing.snapshot();
    // 3 Validate
    const { request, promptTokens } = await this.validator.validate(endpoint, operation, principal, bytes, snapshot);
    const journey: Journey = { endpoint, operation, principal, request, promptTokens, affinityKey: affinityKeyOf(request, promptTokens), snapshot, response };
    // 4 Guard: our own rules now; a moderation model runs beside the next steps and is waited for before step 8
    journey.request = await operation.timed('guard', () => this.guard.prompt(endpoint, operation, request, snapshot));
    const moderation = this.guard.moderate(endpoint, operation, journey.request, snapshot);
    // 5 Plan
    const pin = await pinOf(this.objects, principal.tenant, journey.request.body.value);
    const plan = await operation.timed('plan', () => this.plan(journey, pin));
    const place = this.cachePlace(journey);
    // 6 Reserve
    const reserved = await operation.timed('reserve', () => this.reserve(journey, plan, place));
    // 7 Look up
    const found = await operation.timed('cache', () => this.lookUp(operation, place, reserved));
    // The same prompt was moderated when its answer was made; a similar one is another prompt.
    if (found !== 'exact') await operation.timed('guard', () => moderation);
    if (found !== null) return this.replyFromCache(journey);
    if (place.wishes.onlyIfCached) throw new DejaError('cache_miss', 'The cache holds no answer to this request, and the request allows no other.');
    // 8 Attempt
    const stream = request.stream ? new StreamedReply(response, operation, snapshot.settings) : null;
    const answer = await operation.timed('upstream', () => this.attempt(journey, plan)).finally(() => stream?.answered());
    operation.servedModel = answer.candidate.model;
    this.planner.served(journey.affinityKey, answer.candidate.deployment.id, promptTokens);
    // 9 Reply
    const memory = await this.remembered(journey, answer).catch((error: unknown) => {
      if (answer.kind === 'stream') answer.finish(new AttemptFailure('cancelled', { cause: error }));
      throw error;
    });
    if (answer.kind === 'whole') {
      await this.guard.moderateAnswer(endpoint, operation, answer.reply.text, snapshot);
      if (stream) await this.replay(journey, answer.reply.body, stream);
      else sendWhole(response, operation, answer.reply.body);
    } else if (stream) await this.relay(journey, answer, stream, memory);
    // 10 Settle: on every exit, by the front door; a clean answer is kept for the next one who asks, in the same round trip
    operation.kept = this.answers.prepare(operation, place, answer.candidate, keptReply(answer));
  }

  private plan({ endpoint, operation, principal, request, promptTokens, affinityKey, snapshot }: Journey, pin: Pin | null): Plan {
    return this.planner.plan(snapshot, {
      model: request.model,
      tenant: principal.tenant,
      promptTokens,
      maxOutputTokens: request.maxOutputTokens,
      promptParam: promptMember(request.body),
      outputParam: request.outputParam,
      abilities: abilitiesOf(request),
      affinityKey,
      requires: requirementsOf(headerText(operation.headers['x-deja-require'])),
      pin,
      unsuited: (deployment, upstreamModel) => endpoint.unsuited(request, { deployment, upstreamModel }),
    });
  }

  private cachePlace({ endpoint, operation, principal, request, snapshot: { settings, version } }: Journey): CachePlace {
    const policy = cachePolicyOf(settings.cache, principal.cache);
    const wishes = cacheWishes(operation.headers, policy);
    const allowed = endpoint.eligibility(request);
    const scope = scopeOf(policy.scope, principal, operation.user);
    const { tenant } = principal;
    const keys = cacheKeys(request.body, { tenant, scope, servedModel: request.model, endpoint: endpoint.path });
    const semantic = wishes.semantic && allowed.semantic && keys.fingerprint !== null && request.lastUserText !== null;
    operation.cache = wishes.bypass === null && allowed.exact ? 'MISS' : 'BYPASS';
    operation.cacheReason = wishes.bypass ?? allowed.reason;
    return {
      wishes,
      tenant,
      exactKey: wishes.exact && allowed.exact ? exactKey(tenant, keys.exact) : null,
      partition: semantic && keys.fingerprint !== null ? { tenant, scope, fingerprint: keys.fingerprint } : null,
      text: request.lastUserText ?? '',
      rules: this.guard.rulesName({ settings, version }),
    };
  }

  private reserve({ operation, request, promptTokens, snapshot }: Journey, plan: Plan, place: CachePlace): Promise<Reserved> {
    const { read } = place.wishes;
    // What has no parameter for it gives out no tokens.
    const need = { promptTokens, outputTokens: request.outputParam === null ? 0 : request.maxOutputTokens, choices: request.choices, plan };
    return this.reservations.reserve(operation, snapshot, {
      ...need,
      mostPromptTokens: () => upperBound(request.parts),
      quotas: this.quotas.prepare(operation, plan.candidates, reservedTokens(need)),
      exactKeys: read && place.exactKey !== null ? [place.exactKey] : [],
      presenceKey: read && place.partition ? semanticPresenceKey(place.tenant, place.partition.scope, place.partition.fingerprint) : null,
    });
  }

  /** Puts a usable entry on the operation; says how it was found. */
  private async lookUp(operation: Operation, place: CachePlace, reserved: Reserved): Promise<'exact' | 'semantic' | null> {
    if (!place.wishes.read || operation.cache === 'BYPASS') return null;
    if (reserved.degraded) operation.cacheReason = 'cache_unavailable';
    const exact = this.answers.look(reserved.exact[0] ?? null, 'exact', place);
    if ('entry' in exact) return operation.servedFromCache({ ...exact.entry, similarity: null }, 'exact');
    if (place.partition === null || !reserved.semanticPresent) {
      operation.cacheReason ??= exact.reason;
      return null;
    }
    const found = await this.semantic.find(place.partition, place.text, operation);
    if ('reason' in found) {
      operation.cacheReason = found.reason;
      return null;
    }
    const similar = this.answers.look(await this.answers.read(cacheEntryKey(place.tenant, found.entry)), 'semantic', place);
    if ('entry' in similar) return operation.servedFromCache({ ...similar.entry, similarity: found.similarity }, 'semantic');
    operation.cacheReason = similar.reason === 'no_entry' ? 'entry_gone' : similar.reason;
    return null;
  }

  private async replyFromCache(journey: Journey): Promise<void> {
    const { operation, request, response, snapshot: { settings } } = journey;
    const body = operation.hit?.body ?? Buffer.alloc(0);
    if (!request.stream) return sendWhole(response, operation, body);
    await this.replay(journey, body, new StreamedReply(response, operation, settings));
  }

  /** A whole reply to a client that wants a stream. */
  private async replay({ endpoint, request }: Journey, body: Buffer, stream: StreamedReply): Promise<void> {
    for (const event of endpoint.replay(body, request)) await stream.send(event);
    await stream.end('');
  }

  private attempt(journey: Journey, plan: Plan): Promise<Answer> {
    const { operation, request, snapshot } = journey;
    this.castShadow(journey, plan.shadow);
    const rules = this.guard.answers(operation, snapshot);
    const question = this.question(journey, request, { rules, watched: this.guard.moderatesAnswers(snapshot) });
    return this.attempts.run(operation, question, plan, snapshot.settings);
  }

  private question({ endpoint, operation, promptTokens }: Journey, request: ApiRequest, reading: Pick<ExchangeContext, 'rules' | 'watched'>): Question {
    const exchange = (candidate: Candidate): Exchange => {
      const { deployment, upstreamModel } = candidate;
      const facts = modelFacts({ provider: deployment.provider, kind: deployment.kind, upstreamModel });
      const createdS = Math.floor(Date.now() / 1000);
      return endpoint.exchange(request, { candidate, maxOutputTokens: facts?.maxOutputTokens ?? null, createdS, operationId: operation.id, promptTokens, ...reading });
    };
    return { genAiOperation: endpoint.genAiOperation, stream: request.stream, promptTokens, exchange };
  }

  /** A copy for a shadow deployment, whose answer nobody sees. */
  private castShadow(journey: Journey, shadow: Candidate | null): void {
    if (shadow === null) return;
    const { endpoint, operation, request, snapshot } = journey;
    const copied = (): Question => this.question(journey, endpoint.parse(copiedBody(request.body, endpoint.path)), { rules: null, watched: false });
    this.shadows.cast(operation, copied, shadow, snapshot.settings);
  }

  /** An answer that the provider keeps belongs to this tenant before the client learns its id; of a stream, what has been told of it so far. */
  private async remembered({ operation, principal }: Journey, answer: Answer): Promise<AnswerMemory | null> {
    const attempt = operation.servingAttempt;
    if (attempt === undefined) return null;
    const memory = new AnswerMemory(this.objects, principal.tenant, attempt);
    const { storedIds = NOTHING_STORED, underWay } = answer.kind === 'whole' ? answer.reply : { storedIds: answer.stream.reader.storedIds, underWay: false };
    await memory.note(storedIds, underWay);
    return memory;
  }

  private async relay(journey: Journey, answer: Extract<Answer, { kind: 'stream' }>, reply: StreamedReply, memory: AnswerMemory | null): Promise<void> {
    const { operation } = journey;
    const { reader } = answer.stream;
    try {
      for await (const text of this.moderated(journey, answer)) {
        // Whoever has read the last event may name every item at once.
        if (reader.ended) await memory?.note(reader.storedIds);
        await reply.send(text);
      }
      await memory?.note(reader.storedIds);
    } catch (error) {
      const failure = operation.abandoned ? new AttemptFailure('cancelled') : error instanceof AttemptFailure ? error : new AttemptFailure('blocked', { cause: error });
      answer.finish(failure);
      await memory?.note(reader.storedIds);
      throw error instanceof DejaError ? error : failure;
    }
    answer.finish(null);
    await reply.end(answer.stream.reader.closing);
  }

  /** The stream's text; where a moderation model watches over answers, each stretch of it only after the model has let it pass. */
  private moderated({ endpoint, operation, snapshot }: Journey, { head, stream }: Extract<Answer, { kind: 'stream' }>): AsyncIterable<string> {
    const pieces = stream.all(head);
    return this.guard.moderatesAnswers(snapshot) ? this.guard.moderateStream(endpoint, operation, pieces, () => stream.reader.takeText(), snapshot) : pieces;
  }
}
