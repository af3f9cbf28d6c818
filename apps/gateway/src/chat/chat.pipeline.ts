import type { ServerResponse } from 'node:http';
import { context } from '@opentelemetry/api';
import { cacheKeys, eligibility, lastUserText } from '@deja/cache-key';
import { DejaError, cacheEntryKey, exactKey, semanticPresenceKey, type Principal, type RoutingSnapshot } from '@deja/contracts';
import { planRequest } from '@deja/routing';
import { AttemptFailure, finalError } from '../attempt/failure.ts';
import type { Answer, Attempts } from '../attempt/attempts.ts';
import type { AnswerStore, CachePlace } from '../cache/answer-store.ts';
import { cacheWishes } from '../cache/directives.ts';
import type { SemanticLookup } from '../cache/semantic-lookup.ts';
import { ContentRules } from '../guard/content-rules.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { ceilingsFor } from '../limits/ceilings.ts';
import type { Reserved, Reserver } from '../limits/reserve.ts';
import type { RoutingTable } from '../plan/routing-table.ts';
import { beginStream, sendError, sendPiece, sendWhole } from '../reply/reply.ts';
import { streamOf } from '../reply/replay.ts';
import type { Settler } from '../settle/settler.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { parseChatRequest, promptTexts, type ChatRequest } from './chat-request.ts';
import { asCompletion } from './completion.ts';
import { headerText, tagsOf, userOf, type Operation } from './operation.ts';

export const CHAT_ENDPOINT = 'chat/completions';

/** Output tokens reserved where the client did not bound them: a long answer; settlement corrects it. */
const UNBOUNDED_OUTPUT_TOKENS = 1024;

/** The way of one chat request through the gateway, top to bottom. */
export class ChatPipeline {
  private rules: { version: number; rules: ContentRules } = { version: -1, rules: new ContentRules([]) };

  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly reserver: Reserver,
    private readonly semantic: SemanticLookup,
    private readonly attempts: Attempts,
    private readonly answers: AnswerStore,
    private readonly settler: Settler,
  ) {}

  /** Answers one request. Never rejects: whatever happens, the client gets an answer or an error, and the operation is settled. */
  handle(operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    response.on('close', () => {
      if (!response.writableFinished) operation.abandon();
    });
    if (response.destroyed) operation.abandon();
    // Calls to other services and log lines belong to this operation's trace.
    return context.with(operation.traceContext, () => this.answerAndSettle(operation, bytes, response));
  }

  private async answerAndSettle(operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    try {
      await this.answer(operation, bytes, response);
    } catch (error) {
      this.fail(operation, response, error);
    } finally {
      await this.settler.settle(operation);
    }
  }

  private async answer(operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    // 2 Authenticate
    const principal = await operation.timed('auth', () => this.keys.authenticate(operation.headers));
    operation.principal = principal;
    const snapshot = this.routing.snapshot();
    // 3 Validate
    const request = this.validate(operation, principal, bytes, snapshot);
    // 4 Guard
    await operation.timed('guard', () => this.contentRules(snapshot).check(promptTexts(request.messages)));
    // 5 Plan
    const plan = await operation.timed('plan', () => this.plan(request, snapshot));
    const place = this.cachePlace(operation, principal, request, snapshot);
    // 6 Reserve
    const reserved = await operation.timed('reserve', () => this.reserve(operation, principal, request, place, snapshot));
    // 7 Look up
    if (await operation.timed('cache', () => this.lookUp(operation, place, reserved))) return this.replyFromCache(operation, request, response, snapshot.settings.timeouts.idle_ms);
    if (place.wishes.onlyIfCached) throw new DejaError('cache_miss', 'The cache holds no answer to this request, and the request allows no other.');
    // 8 Attempt
    const answer = await operation.timed('upstream', () => this.attempts.run(operation, request, plan, snapshot.settings));
    operation.servedModel = answer.candidate.model;
    // 9 Reply
    if (answer.kind === 'whole') sendWhole(response, operation, answer.body);
    else await this.relay(operation, answer, response, snapshot.settings.timeouts.idle_ms);
    // 10 Settle: on every exit, below; a clean answer is kept for the next one who asks, in the same round trip
    operation.kept = this.answers.prepare(operation, place, answer);
  }

  private validate(operation: Operation, principal: Principal, bytes: Buffer, { settings, models }: RoutingSnapshot): ChatRequest {
    operation.tags = tagsOf(headerText(operation.headers['x-deja-tags']));
    if (bytes.length > settings.validation.max_body_bytes) {
      throw new DejaError('request_too_large', `The request body has ${bytes.length} bytes, at most ${settings.validation.max_body_bytes} are allowed.`);
    }
    const body = parseJsonBody(bytes);
    if (typeof body.value['model'] === 'string') operation.requestedModel = body.value['model'].slice(0, 256);
    operation.stream = body.value['stream'] === true;
    const request = parseChatRequest(body, settings.validation);
    operation.user = userOf(headerText(operation.headers['x-deja-user']), request.user);
    operation.estimatedPromptTokens = request.promptTokens;
    if (!models.some(({ name }) => name === request.model || name === '*')) {
      throw new DejaError('model_not_found', `The model '${request.model}' does not exist.`, { param: 'model' });
    }
    if (principal.models !== null && !principal.models.includes(request.model)) {
      throw new DejaError('model_not_allowed', `This API key may not use the model '${request.model}'.`, { param: 'model' });
    }
    return request;
  }

  private contentRules({ version, settings }: RoutingSnapshot): ContentRules {
    if (this.rules.version !== version) this.rules = { version, rules: new ContentRules(settings.content_safety.deny) };
    return this.rules.rules;
  }

  private plan(request: ChatRequest, snapshot: RoutingSnapshot): Extract<ReturnType<typeof planRequest>, { plan: unknown }>['plan'] {
    const planned = planRequest(snapshot, { model: request.model }, { nowMs: Date.now(), random: Math.random, maxAttempts: snapshot.settings.retries.max_attempts });
    if ('plan' in planned) return planned.plan;
    if (planned.refused === 'model_not_found') throw new DejaError('model_not_found', `The model '${request.model}' does not exist.`, { param: 'model' });
    throw new DejaError('no_deployment_available', 'No deployment can take this request at the moment.', { retryAfterMs: planned.retryAfterMs ?? 1000 });
  }

  private cachePlace(operation: Operation, principal: Principal, request: ChatRequest, { settings }: RoutingSnapshot): CachePlace {
    const wishes = cacheWishes(operation.headers, settings.cache);
    const allowed = eligibility(request.body);
    const scope = scopeOf(settings.cache.scope, principal, operation.user);
    const { tenant } = principal;
    const keys = cacheKeys(request.body, { tenant, scope, servedModel: request.model, endpoint: CHAT_ENDPOINT });
    const semantic = wishes.semantic && allowed.semantic && keys.fingerprint !== null;
    operation.cache = wishes.bypass === null && allowed.exact ? 'MISS' : 'BYPASS';
    operation.cacheReason = wishes.bypass ?? allowed.reason;
    return {
      wishes,
      tenant,
      exactKey: wishes.exact && allowed.exact ? exactKey(tenant, keys.exact) : null,
      partition: semantic && keys.fingerprint !== null ? { tenant, scope, fingerprint: keys.fingerprint } : null,
      text: lastUserText(request.body) ?? '',
    };
  }

  private async reserve(operation: Operation, principal: Principal, request: ChatRequest, place: CachePlace, { settings }: RoutingSnapshot): Promise<Reserved> {
    const open = operation.opening();
    const { read } = place.wishes;
    const output = (request.maxOutputTokens ?? UNBOUNDED_OUTPUT_TOKENS) * request.choices;
    const reserved = await this.reserver.reserve(
      {
        open,
        ceilings: ceilingsFor(principal, operation.user, settings.limits),
        tokens: request.promptTokens + output,
        exactKey: read ? place.exactKey : null,
        presenceKey: read && place.partition ? semanticPresenceKey(place.tenant, place.partition.scope, place.partition.fingerprint) : null,
      },
      settings.limits.degraded,
    );
    this.settler.opened(open, !reserved.degraded);
    operation.reservation = reserved.reservation;
    return reserved;
  }

  /** Puts a usable entry on the operation; says whether there is one. */
  private async lookUp(operation: Operation, place: CachePlace, reserved: Reserved): Promise<boolean> {
    if (!place.wishes.read || operation.cache === 'BYPASS') return false;
    if (reserved.degraded) operation.cacheReason = 'cache_unavailable';
    const exact = this.answers.usable(reserved.exact, place.wishes);
    if (exact) {
      operation.hit = { ...exact, similarity: null };
      operation.cache = 'HIT-EXACT';
    } else if (place.partition && reserved.semanticPresent) {
      const found = await this.semantic.find(place.partition, place.text, operation);
      const entry = 'entry' in found ? this.answers.usable(await this.answers.read(cacheEntryKey(place.tenant, found.entry)), place.wishes) : null;
      if (entry && 'entry' in found) {
        operation.hit = { ...entry, similarity: found.similarity };
        operation.cache = 'HIT-SEMANTIC';
      } else operation.cacheReason = 'reason' in found ? found.reason : 'entry_gone';
    } else operation.cacheReason ??= 'no_entry';
    if (operation.hit === null) return false;
    operation.cacheReason = null;
    operation.servedModel = operation.hit.meta.model;
    return true;
  }

  private async replyFromCache(operation: Operation, request: ChatRequest, response: ServerResponse, idleMs: number): Promise<void> {
    const body = operation.hit?.body ?? Buffer.alloc(0);
    if (!request.stream) return sendWhole(response, operation, body);
    const completion = asCompletion(JSON.parse(body.toString('utf8')));
    if (completion === null) throw new Error('a cache entry is not a chat completion');
    beginStream(response, operation);
    for (const event of streamOf(completion, request.includeUsage)) await sendPiece(response, operation, event, idleMs);
    response.end();
  }

  private async relay(operation: Operation, answer: Extract<Answer, { kind: 'stream' }>, response: ServerResponse, idleMs: number): Promise<void> {
    try {
      beginStream(response, operation);
      await sendPiece(response, operation, answer.head, idleMs);
      for await (const text of answer.stream.rest()) {
        await sendPiece(response, operation, text, idleMs);
        if (operation.abandoned) throw new AttemptFailure('cancelled');
      }
    } catch (error) {
      const failure = operation.abandoned ? new AttemptFailure('cancelled') : error instanceof AttemptFailure ? error : new AttemptFailure('network', { cause: error });
      answer.finish(failure);
      throw failure;
    }
    answer.finish(null);
    response.end('data: [DONE]\n\n');
  }

  private fail(operation: Operation, response: ServerResponse, error: unknown): void {
    if (operation.abandoned) {
      operation.outcome = 'cancelled';
      operation.status ||= CLIENT_CLOSED_REQUEST;
      response.destroy();
      return;
    }
    const known = error instanceof DejaError ? error : error instanceof AttemptFailure ? finalError([error]) : this.settler.unexpected(operation, error);
    operation.outcome = known.code === 'content_policy_violation' && operation.attempts.length === 0 ? 'blocked' : 'error';
    operation.errorCode = known.code;
    sendError(response, operation, known);
  }
}

/** nginx's status for a client that left before there was an answer; never on the wire. */
const CLIENT_CLOSED_REQUEST = 499;

/** Who shares answers. Where answers are shared by user and none is named, they stay with the key. */
function scopeOf(scope: RoutingSnapshot['settings']['cache']['scope'], principal: Principal, user: string | null): string {
  if (scope === 'tenant' || scope === 'global') return 'tenant';
  if (scope === 'user' && user !== null) return `user:${user}`;
  return `key:${principal.key}`;
}
