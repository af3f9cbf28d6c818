import { DejaError, type Candidate, type Plan } from '@deja/contracts';
import { modelFacts } from '@deja/pricing';
import { AttemptFailure } from '../attempt/failure.ts';
import { NOTHING_STORED, type Exchange } from '../attempt/exchange.ts';
import { keptReply, type Answer } from '../attempt/answer.ts';
import type { Attempts, Question } from '../attempt/attempts.ts';
import { copiedBody, type Shadows } from '../attempt/shadow.ts';
import type { EntryMeta } from '../cache/entry.ts';
import type { KeptForAudit } from '../cache/evidence.ts';
import type { PipelineCache } from '../cache/pipeline-cache.ts';
import type { QuestionPlace } from '../cache/question-place.ts';
import { flightKey, type Flight, type Flights } from '../flight/flights.ts';
import { SharedText } from '../flight/shared-text.ts';
import { BlockedByRule } from '../guard/blocked-by-rule.ts';
import type { Guard } from '../guard/guard.ts';
import { AnswerMemory } from '../objects/answer-memory.ts';
import type { StoredObjects } from '../objects/stored-objects.ts';
import type { Planner } from '../plan/planner.ts';
import type { StreamedReply } from '../reply/streamed-reply.ts';
import { sendWhole } from '../reply/reply.ts';
import type { ApiRequest, ExchangeContext } from './endpoint.ts';
import type { Journey } from './journey.ts';

type StreamAnswer = Extract<Answer, { kind: 'stream' }>;

/** What a request that is not answered from the cache goes on with. */
export interface Asked {
  plan: Plan;
  place: QuestionPlace;
  /** The answer of the cache that the provider's is to be compared with. */
  audit: KeptForAudit | null;
  /** null: the client wants a whole reply. */
  stream: StreamedReply | null;
}

const NO_BODY = Buffer.alloc(0);

/** Steps 8 and 9: the provider is asked, or another request's answer shared, and the client gets it. */
export class Answering {
  constructor(
    private readonly guard: Guard,
    private readonly objects: StoredObjects,
    private readonly planner: Planner,
    private readonly cache: PipelineCache,
    private readonly attempts: Attempts,
    private readonly shadows: Shadows,
    private readonly flights: Flights,
  ) {}

  /** Identical requests that are under way at the same time make one call: the first leads, the others follow. Rejects with what the client is to be told. */
  async ask(journey: Journey, asked: Asked): Promise<void> {
    const { operation, request } = journey;
    const key = asked.audit === null ? flightKey(request, asked.place) : null;
    for (;;) {
      const flight = key === null ? null : this.flights.underWayFor(key);
      if (flight === null) return this.lead(journey, asked, key === null ? null : this.flights.begin(key, operation));
      if (await this.follow(journey, flight, asked.stream)) return;
    }
  }

  /** The answer of the cache that is on the operation. */
  fromCache(journey: Journey, stream: StreamedReply | null): void | Promise<void> {
    const { operation, response } = journey;
    const body = operation.hit?.body ?? NO_BODY;
    operation.captured?.replied(body);
    return stream === null ? sendWhole(response, operation, body) : this.replay(journey, body, stream);
  }

  /** A whole reply. It is bought: a client that left meanwhile changes nothing of that. */
  private sendReply(journey: Journey, body: Buffer, stream: StreamedReply | null): void | Promise<void> {
    const { operation, response } = journey;
    if (operation.abandoned) return;
    operation.captured?.replied(body);
    if (stream === null) return sendWhole(response, operation, body);
    return this.replay(journey, body, stream).catch((error: unknown) => {
      if (!operation.abandoned) throw error;
    });
  }

  /** A whole reply to a client that wants a stream. */
  private async replay({ endpoint, request }: Journey, body: Buffer, stream: StreamedReply): Promise<void> {
    for (const event of endpoint.replay(body, request)) await stream.send(event);
    await stream.end('');
  }

  private async lead(journey: Journey, { plan, place, audit, stream }: Asked, flight: Flight | null): Promise<void> {
    const { endpoint, operation, snapshot } = journey;
    try {
      // 8 Attempt
      const answer = await this.firstContent(journey, plan, stream);
      operation.servedModel = answer.candidate.model;
      this.planner.served(journey.affinityKey, answer.candidate.deployment.id, journey.promptTokens);
      // 9 Reply
      const memory = this.memoryOf(journey);
      await this.remember(memory, answer);
      const meta = this.cache.answers.metaOf(operation, place, answer.candidate, operation.servingAttempt?.usage ?? null);
      const shared = flight === null || meta === null ? null : { flight, meta };
      if (answer.kind === 'whole') {
        if (this.guard.moderatesAnswers(snapshot)) await this.guard.moderateAnswer(endpoint, operation, answer.reply.text, snapshot);
        shared?.flight.answered({ meta: shared.meta, content: { kind: 'whole', body: answer.reply.body }, settled: Promise.resolve(shared.meta) });
        await this.sendReply(journey, answer.reply.body, stream);
      } else if (stream) await this.relay(journey, answer, stream, memory, shared);
      // A clean answer is kept for the next one who asks, in the round trip that settles; also when its client left in the meantime.
      const kept = keptReply(answer);
      if (answer.kind === 'stream' && kept !== null) operation.captured?.replied(kept.body, answer.stream.reader.producedChars);
      operation.kept = this.cache.answers.prepare(operation, place, answer.candidate, kept, meta);
      if (audit !== null) this.cache.evidence.audit(journey, place, endpoint, audit, kept);
      if (operation.abandoned) throw new AttemptFailure('cancelled');
    } finally {
      flight?.failed();
    }
  }

  /** Gives this client the answer that another one is getting. False where that one got none that can be shared. */
  private async follow(journey: Journey, flight: Flight, stream: StreamedReply | null): Promise<boolean> {
    const { operation } = journey;
    const followed = await operation.timed('upstream', () => flight.follow(operation));
    if (followed === null) return false;
    const { answer: { meta, content, settled }, leave } = followed;
    try {
      operation.servedFromCache({ meta, body: content.kind === 'whole' ? content.body : NO_BODY, similarity: null }, 'exact');
      if (content.kind === 'whole' || stream === null) await this.fromCache(journey, stream);
      else {
        for await (const text of content.text.read()) await stream.send(text);
        await stream.end(content.closing());
        operation.captured?.streamed(content.soFar);
      }
      operation.servedFromCache({ meta: await settled, body: NO_BODY, similarity: null }, 'exact');
      return true;
    } catch (error) {
      if (content.kind === 'stream') operation.captured?.streamed(content.soFar, { shapeOnly: error instanceof BlockedByRule });
      operation.notServed();
      throw error;
    } finally {
      leave();
    }
  }

  private async firstContent(journey: Journey, plan: Plan, stream: StreamedReply | null): Promise<Answer> {
    try {
      return await journey.operation.timed('upstream', () => this.attempt(journey, plan));
    } finally {
      stream?.answered();
    }
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

  private memoryOf({ operation, principal }: Journey): AnswerMemory | null {
    const attempt = operation.servingAttempt;
    return attempt === undefined ? null : new AnswerMemory(this.objects, principal.tenant, attempt);
  }

  /** An answer that the provider keeps belongs to this tenant before the client learns its id; of a stream, what has been told of it so far. */
  private async remember(memory: AnswerMemory | null, answer: Answer): Promise<void> {
    const { storedIds = NOTHING_STORED, underWay } = answer.kind === 'whole' ? answer.reply : { storedIds: answer.stream.reader.storedIds, underWay: false };
    try {
      await memory?.note(storedIds, underWay);
    } catch (error) {
      if (answer.kind === 'stream') await answer.finish(new AttemptFailure('cancelled', { cause: error }));
      throw error;
    }
  }

  /** Sends a stream on as it comes, to everybody who shares it. Rejects when it broke off, or when this client left and nobody else reads on. */
  private async relay(journey: Journey, answer: StreamAnswer, reply: StreamedReply, memory: AnswerMemory | null, shared: { flight: Flight; meta: EntryMeta } | null): Promise<void> {
    const { operation } = journey;
    const { reader } = answer.stream;
    const text = new SharedText(this.noted(journey, answer, memory));
    const settled = text.outcome.then((outcome) => {
      if (outcome === 'failed' || shared === null) throw new Error('the answer broke off');
      return { ...shared.meta, usage: operation.servingAttempt?.usage ?? null };
    });
    settled.catch(() => undefined); // it is for those who share it
    shared?.flight.answered({ meta: shared.meta, content: { kind: 'stream', text, closing: () => reader.closing, soFar: () => reader.kept() }, settled });
    try {
      for await (const piece of text.read()) await reply.send(piece);
    } catch (error) {
      if (operation.abandoned && shared !== null && (await Promise.race([text.outcome, shared.flight.whenDeserted()])) === 'ended') return;
      const failure = operation.abandoned ? new AttemptFailure('cancelled') : error instanceof AttemptFailure ? error : new AttemptFailure('blocked', { cause: error });
      await answer.finish(failure);
      // What a moderation model blocks was read, and never sent.
      operation.captured?.streamed(() => reader.kept(), { producedChars: reader.producedChars, shapeOnly: error instanceof BlockedByRule });
      await memory?.note(reader.storedIds);
      throw error instanceof DejaError ? error : failure;
    }
    await reply.end(reader.closing);
  }

  /** The stream's text. What it tells of stored objects is noted before anybody reads it; at its clean end the call is over. */
  private async *noted(journey: Journey, answer: StreamAnswer, memory: AnswerMemory | null): AsyncGenerator<string> {
    const { reader } = answer.stream;
    for await (const text of this.moderated(journey, answer)) {
      // Whoever has read the last event may name every item at once.
      if (reader.ended) await memory?.note(reader.storedIds);
      yield text;
    }
    await memory?.note(reader.storedIds);
    await answer.finish(null);
  }

  /** The stream's text; where a moderation model watches over answers, each stretch of it only after the model has let it pass. */
  private moderated({ endpoint, operation, snapshot }: Journey, { head, stream }: StreamAnswer): AsyncIterable<string> {
    const pieces = stream.all(head);
    return this.guard.moderatesAnswers(snapshot) ? this.guard.moderateStream(endpoint, operation, pieces, () => stream.reader.takeText(), snapshot) : pieces;
  }
}
