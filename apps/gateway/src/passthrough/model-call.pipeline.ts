import type { IncomingMessage, ServerResponse } from 'node:http';
import { DejaError, type Candidate, type Plan, type Price, type Principal, type RoutingSnapshot } from '@deja/contracts';
import { priceOf } from '@deja/pricing';
import { estimate } from '@deja/tokens';
import { addressOf } from '../dialects/openai/address.ts';
import { openAiBody } from '../dialects/openai/body.ts';
import { serverOf, type Endpoint } from '../dialects/openai/compatible-servers.ts';
import { lacks, offers } from '../dialects/unsuited.ts';
import type { Guard } from '../guard/guard.ts';
import { pinOf, type Pin } from '../objects/pin.ts';
import type { StoredObjects } from '../objects/stored-objects.ts';
import type { Operation } from '../operation/operation.ts';
import { headerText } from '../operation/request-headers.ts';
import { requirementsOf } from '../plan/needs.ts';
import type { Planner } from '../plan/planner.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { checkModel, checkSize, validationFor } from '../validate/validator.ts';
import type { Admission } from './admission.ts';
import type { BodyMemory } from '../pipeline/body-memory.ts';
import { Form } from './form.ts';
import type { RawAnswer, RawCalls, RawQuestion } from './raw-call.ts';
import { relayRaw } from './raw-reply.ts';
import type { Medium } from './reported-usage.ts';
import { sendTranscript } from './transcript-reply.ts';

/** An endpoint that deja passes on to the provider of the model that the request names. */
export interface ModelCall {
  /** Below `/v1/`, such as `audio/speech`. */
  path: string;
  /** What a provider has to offer. */
  offer: Extract<Endpoint, 'images' | 'audio'>;
  /** Members, or form fields, in which people write, for a moderation model; content rules look at more (guard/prompt-texts.ts). */
  textMembers: readonly string[];
}

/** Calls that are answered with what somebody said. */
const ANSWERING_IN_TEXT = new Set(['audio/transcriptions', 'audio/translations']);

/** Where a form goes, and what its model is called there. */
interface FormRoute {
  plan: Plan;
  /** For one candidate: the upstream's name for the model of the form; throws the DejaError that the client is to get. */
  modelFor(candidate: Candidate): (model: string) => string;
  /** The name that was sent, where that is known only when the form has gone by. */
  sentModel?: () => string | null;
}

/** Pass-through of calls that name a model: images and audio, as JSON or as a form that streams by. */
export class ModelCallPipeline {
  constructor(
    private readonly admission: Admission,
    private readonly guard: Guard,
    private readonly objects: StoredObjects,
    private readonly calls: RawCalls,
    private readonly planner: Planner,
    private readonly bodies: BodyMemory,
  ) {}

  /** A JSON body, read whole. */
  async answerJson(endpoint: ModelCall, operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    // 2 Authenticate
    const { principal, snapshot } = await this.admission.authenticate(operation);
    operation.captured?.came(bytes);
    // 3 Validate
    checkSize(bytes.length, validationFor(principal, snapshot));
    const parsed = parseJsonBody(bytes);
    const model = modelOf(parsed.value['model'], operation, principal, snapshot);
    // 4 Guard
    const { body, texts } = await this.guard.passing(operation, parsed, endpoint.textMembers, snapshot);
    operation.captured?.asked(body, endpoint.textMembers);
    const moderation = this.guard.moderateTexts(operation, texts, snapshot);
    // 5 Plan
    const plan = this.plan(endpoint, operation, model, await pinOf(this.objects, principal.tenant, body.value), snapshot);
    // 6 Reserve
    const promptTokens = estimate({ texts, messages: 0, images: [], tools: 0 });
    await this.admission.reserve(operation, promptTokens, snapshot);
    await moderation;
    // 8 Attempt, 9 Reply
    const question: RawQuestion = {
      ...this.question(endpoint, operation, snapshot, { promptTokens, characters: charactersIn(body.value) }),
      headers: { 'content-type': 'application/json' },
      body: ({ deployment, upstreamModel }) => openAiBody(body, { upstreamModel, stream: false, includeUsage: false, server: serverOf(deployment), endpoint: endpoint.offer }).text,
    };
    const answer = await this.calls.run(operation, question, plan, snapshot.settings);
    await this.reply(endpoint, operation, answer, response, snapshot);
  }

  /** A form. Files in it stream by: they are never held, and so an upload that has begun is not repeated elsewhere. */
  async answerForm(endpoint: ModelCall, operation: Operation, source: IncomingMessage, response: ServerResponse): Promise<void> {
    const { principal, snapshot } = await this.admission.authenticate(operation);
    operation.captured?.sentForm(operation.headers['content-type'] ?? '');
    const treat = (text: string, field: string): string | Promise<string> => this.guard.passingText(operation, text, field, snapshot);
    const judge = (texts: string[]): Promise<void> => this.guard.moderateTexts(operation, texts, snapshot);
    const form = new Form(operation.headers['content-type'], source, { texts: endpoint.textMembers, treat, judge, share: this.bodies.share() });
    try {
      const model = await form.readAhead('model');
      const route = model === null ? this.lateRoute(endpoint, form, operation, principal, snapshot) : this.namedRoute(endpoint, model, operation, principal, snapshot);
      await this.admission.reserve(operation, 0, snapshot);
      await form.judgeAhead();
      const question: RawQuestion = { ...this.question(endpoint, operation, snapshot), headers: { 'content-type': form.contentType }, body: (candidate) => form.body(route.modelFor(candidate)) };
      const { plan } = route;
      const answer = await this.calls.run(operation, question, plan, snapshot.settings);
      form.answered();
      const sent = route.sentModel?.() ?? null;
      if (sent !== null) Object.assign(answer.call.record, { model: sent, price: priceAt(answer.candidate, sent, operation, snapshot) });
      await this.reply(endpoint, operation, answer, response, snapshot);
    } finally {
      form.close();
    }
  }

  private reply(endpoint: ModelCall, operation: Operation, answer: RawAnswer, response: ServerResponse, snapshot: RoutingSnapshot): Promise<void> {
    const rules = ANSWERING_IN_TEXT.has(endpoint.path) ? this.guard.answers(operation, snapshot) : null;
    return rules === null ? relayRaw(operation, answer, response, snapshot.settings.timeouts.idle_ms) : sendTranscript(operation, answer, rules, response);
  }

  private namedRoute(endpoint: ModelCall, model: string, operation: Operation, principal: Principal, snapshot: RoutingSnapshot): FormRoute {
    modelOf(model, operation, principal, snapshot);
    const modelFor: FormRoute['modelFor'] = ({ upstreamModel }) => (value) => {
      if (value !== model) throw new DejaError('invalid_value', 'The form names two different models.', { param: 'model' });
      return upstreamModel;
    };
    return { plan: this.plan(endpoint, operation, model, null, snapshot), modelFor };
  }

  /**
   * Many clients send the file first and the model after it. Where one provider alone has this endpoint, the upload goes
   * there at once, and the model is checked when it comes by: before that the provider cannot have begun.
   */
  private lateRoute(endpoint: ModelCall, form: Form, operation: Operation, principal: Principal, snapshot: RoutingSnapshot): FormRoute {
    const offering = snapshot.deployments.filter((deployment) => offers({ deployment }, endpoint.offer));
    const [first] = offering;
    // A dated Azure address names the model itself.
    const inAddress = first?.kind === 'azure-openai' && first.apiVersion !== null;
    if (form.ended || first === undefined || inAddress || offering.some(({ provider }) => provider !== first.provider)) throw modelComesLate(form.ended);
    const anyModel: RoutingSnapshot = { ...snapshot, models: [{ name: first.id, strategy: 'weighted', deployments: [{ id: first.id, weight: 1, priority: 1 }], fallbacks: [] }] };
    let sent: string | null = null;
    const modelFor: FormRoute['modelFor'] = (candidate) => (value) => {
      modelOf(value, operation, principal, snapshot);
      const own = snapshot.models.find(({ name }) => name === value) ?? snapshot.models.find(({ name }) => name === '*');
      const served = offering.find(({ id }) => own?.deployments.some((deployment) => deployment.id === id));
      if (served === undefined) throw new DejaError('invalid_value', lacks({ deployment: candidate.deployment }, endpoint.path)?.message ?? '', { param: 'model' });
      candidate.model = value;
      sent = served.upstreamModel === '*' ? value : served.upstreamModel;
      return sent;
    };
    return { plan: this.plan(endpoint, operation, first.id, null, anyModel), modelFor, sentModel: () => sent };
  }

  private plan(endpoint: ModelCall, operation: Operation, model: string, pin: Pin | null, snapshot: RoutingSnapshot): Plan {
    return this.planner.plan(snapshot, {
      model,
      tenant: operation.principal?.tenant ?? null,
      promptTokens: 0,
      requires: requirementsOf(headerText(operation.headers['x-deja-require'])),
      pin,
      unsuited: (deployment) => (offers({ deployment }, endpoint.offer) ? null : lacks({ deployment }, endpoint.path)),
    });
  }

  private question(
    endpoint: ModelCall,
    operation: Operation,
    snapshot: RoutingSnapshot,
    { promptTokens, characters }: { promptTokens: number; characters: number | null } = { promptTokens: 0, characters: null },
  ): Pick<RawQuestion, 'method' | 'url' | 'price' | 'asked' | 'promptTokens'> {
    return {
      method: 'POST',
      url: ({ deployment, upstreamModel }) => addressOf(deployment, upstreamModel, endpoint.path),
      price: (candidate) => priceAt(candidate, candidate.upstreamModel, operation, snapshot),
      asked: { medium: mediumOf(endpoint), characters },
      promptTokens,
    };
  }
}

const priceAt = ({ deployment: { provider, kind } }: Candidate, upstreamModel: string, { receivedAtMs }: Operation, { settings }: RoutingSnapshot): Price | null =>
  priceOf({ provider, kind, upstreamModel, overrides: settings.prices, atMs: receivedAtMs });

function mediumOf({ path, offer }: ModelCall): Medium {
  if (offer === 'images') return 'images';
  return ANSWERING_IN_TEXT.has(path) ? 'transcript' : 'speech';
}

/** Length of the text that is to be read aloud, as those who bill by it count. */
const charactersIn = (body: Readonly<Record<string, unknown>>): number | null => (typeof body['input'] === 'string' ? Array.from(body['input']).length : null);

function modelOf(model: unknown, operation: Operation, principal: Principal, snapshot: RoutingSnapshot): string {
  if (model === undefined || model === null) throw new DejaError('missing_required_parameter', "Missing required parameter: 'model'.", { param: 'model' });
  if (typeof model !== 'string' || model === '' || model.length > 256) throw new DejaError('invalid_value', "Invalid value for 'model': expected a name of at most 256 characters.", { param: 'model' });
  operation.requestedModel = model;
  checkModel(model, principal, snapshot);
  return model;
}

/** Where everything goes to one provider anyway, a form may name its model as late as it likes. */
const modelComesLate = (ended: boolean): DejaError =>
  ended
    ? new DejaError('missing_required_parameter', "Missing required parameter: 'model'.", { param: 'model' })
    : new DejaError('invalid_value', "The form's field 'model' comes after a large file: send it before the file, so that the upload can be routed without being stored.", { param: 'model' });
