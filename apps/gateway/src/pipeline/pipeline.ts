import type { ServerResponse } from 'node:http';
import type { Sharing } from '@deja/cache-key';
import { DejaError, semanticPresenceKey, type Plan } from '@deja/contracts';
import type { PlanNeed } from '@deja/routing';
import { upperBound } from '@deja/tokens';
import { cacheWishes } from '../cache/directives.ts';
import { KnownQuestions } from '../cache/known-questions.ts';
import type { PipelineCache } from '../cache/pipeline-cache.ts';
import { cachePolicyOf } from '../cache/policy.ts';
import { questionPlace, type QuestionPlace } from '../cache/question-place.ts';
import { scopeOf } from '../cache/scope.ts';
import { capturedFor } from '../capture/captured.ts';
import type { Guard } from '../guard/guard.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { reservedTokens, type Reservations } from '../limits/reservations.ts';
import type { Reserved } from '../limits/reserve.ts';
import { pinOf } from '../objects/pin.ts';
import type { StoredObjects } from '../objects/stored-objects.ts';
import type { Operation } from '../operation/operation.ts';
import { headerText } from '../operation/request-headers.ts';
import { abilitiesOf, affinityKeyOf, requirementsOf } from '../plan/needs.ts';
import type { Planner } from '../plan/planner.ts';
import type { RoutingTable } from '../plan/routing-table.ts';
import type { QuotaAdmission } from '../quotas/quota-admission.ts';
import { StreamedReply } from '../reply/streamed-reply.ts';
import { promptMember, type Validator } from '../validate/validator.ts';
import type { Answering } from './answering.ts';
import type { ApiRequest, Endpoint } from './endpoint.ts';
import type { Journey } from './journey.ts';

type Pin = NonNullable<PlanNeed['pin']>;

/** The way of one request that a model answers, top to bottom. */
export class Pipeline {
  private readonly known = new KnownQuestions();

  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly validator: Validator,
    private readonly guard: Guard,
    private readonly objects: StoredObjects,
    private readonly planner: Planner,
    private readonly reservations: Reservations,
    private readonly quotas: QuotaAdmission,
    private readonly cache: PipelineCache,
    private readonly answering: Answering,
  ) {}

  /** Steps 2 to 9 of docs/architecture.md; receiving and settling are the front door's. Rejects with what the client is to be told. */
  async answer<R extends ApiRequest>(endpoint: Endpoint<R>, operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    // 2 Authenticate
    const principal = await operation.timed('auth', () => this.keys.authenticateKnown(operation) ?? this.keys.authenticate(operation));
    operation.principal = principal;
    const snapshot = this.routing.snapshot();
    operation.captured = capturedFor(principal, snapshot.settings, operation.tracesContent);
    operation.captured?.came(bytes);
    // 3 Validate
    const { request, promptTokens } = await operation.timed('validate', () => this.validator.validate(endpoint, operation, principal, bytes, snapshot));
    operation.asks(endpoint.genAiOperation, request.body.value);
    const journey: Journey = { endpoint, operation, principal, request, promptTokens, affinityKey: affinityKeyOf(request, promptTokens), snapshot, response };
    // 4 Guard: our own rules now; a moderation model runs beside the next steps and is waited for before step 8
    journey.request = await operation.timed('guard', () => this.guard.prompt(endpoint, operation, request, snapshot));
    operation.captured?.asked(journey.request.body, endpoint.textMembers);
    const moderation = this.guard.moderate(endpoint, operation, journey.request, snapshot);
    // 5 Plan
    const pin = await pinOf(this.objects, principal.tenant, journey.request.body.value);
    const plan = await operation.timed('plan', () => this.plan(journey, pin));
    const place = this.cachePlace(journey);
    // 6 Reserve
    const reserved = await operation.timed('reserve', () => this.reserve(journey, plan, place));
    // 7 Look up
    const looked = await operation.timed('cache', () => this.cache.lookUp.find(journey, place, reserved));
    // The same prompt was moderated when its answer was made; a similar one is another prompt.
    if (moderation !== null && looked.found !== 'exact') await operation.waited('guard', () => moderation);
    if (await operation.waited('cache', () => this.cache.lookUp.take(operation, place, looked))) return this.answering.fromCache(journey, streamTo(journey));
    if (place.wishes.onlyIfCached) throw new DejaError('cache_miss', 'The cache holds no answer to this request, and the request allows no other.');
    // 8 Attempt, 9 Reply, and what is kept of the answer
    const audit = looked.found === null ? looked.audit : null;
    await this.answering.ask(journey, { plan, place, audit, stream: streamTo(journey) });
    // 10 Settle: on every exit, by the front door
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

  private cachePlace(journey: Journey): QuestionPlace {
    const { endpoint, operation, principal, request, snapshot: { settings, version } } = journey;
    const { body, model, lastUserText } = request;
    const policy = cachePolicyOf(settings.cache, principal.cache);
    const question = {
      tenant: principal.tenant,
      scope: scopeOf(policy.scope, principal, operation.user),
      endpoint: endpoint.path,
      body,
      model,
      lastUserText,
      flagged: operation.flags.size > 0,
      wishes: cacheWishes(operation.headers, policy),
      policy,
      rules: this.guard.rulesName({ settings, version }),
      eligibility: (sharing: Sharing) => endpoint.eligibility(request, sharing),
    };
    const place = questionPlace(question, this.known);
    operation.cache = place.cache;
    operation.cacheReason = place.reason;
    place.vector = this.cache.vectors.buyer(journey, policy.semantic.embedder, place.text);
    return place;
  }

  private reserve({ operation, request, promptTokens, snapshot }: Journey, plan: Plan, place: QuestionPlace): Promise<Reserved> {
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
}

/** null: the client wants a whole reply. */
const streamTo = ({ request, response, operation, snapshot: { settings } }: Journey): StreamedReply | null => (request.stream ? new StreamedReply(response, operation, settings) : null);
