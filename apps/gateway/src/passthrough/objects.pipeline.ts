import type { IncomingMessage, ServerResponse } from 'node:http';
import { DejaError, type Candidate, type Plan, type Principal, type RoutingSnapshot, type StoredObjectKind } from '@deja/contracts';
import { addressOf, idSegment, type QueryPairs } from '../dialects/openai/address.ts';
import { offers } from '../dialects/unsuited.ts';
import type { Guard } from '../guard/guard.ts';
import { pinOf, type Pin } from '../objects/pin.ts';
import type { Known, StoredObjects } from '../objects/stored-objects.ts';
import type { Operation } from '../operation/operation.ts';
import type { Planner } from '../plan/planner.ts';
import { priceOf } from '@deja/pricing';
import { itemIds } from '../responses/response-object.ts';
import { asResponse } from '../responses/response-stream.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { checkModel, checkSize, validationFor } from '../validate/validator.ts';
import type { Admission } from './admission.ts';
import { purposeMissing, wholeUpload } from './file-upload.ts';
import { batchBill, responseBill, type LateBill } from './late-bill.ts';
import type { BodyMemory } from '../pipeline/body-memory.ts';
import { Form, FORM_BOUNDS } from './form.ts';
import { listOwn, type ListPage } from './own-list.ts';
import { UNBILLED, type RawAnswer, type RawCalls, type RawQuestion } from './raw-call.ts';
import { readJson, relayRaw, sendJson } from './raw-reply.ts';
import { StoredResponse } from './stored-response.ts';

/** What one call does to a stored object. */
export interface ObjectCall {
  kind: StoredObjectKind;
  method: 'GET' | 'POST' | 'DELETE';
  id: string;
  /** Below the object, such as `content` or `cancel`; empty for the object itself. */
  action: string;
  query: QueryPairs;
}

const FOLDER: Record<StoredObjectKind, 'files' | 'batches' | 'responses'> = { file: 'files', batch: 'batches', response: 'responses' };

/** Files, batches and stored responses: they belong to the tenant that made them, and go back to the account that has them. */
export class ObjectsPipeline {
  constructor(
    private readonly admission: Admission,
    private readonly guard: Guard,
    private readonly objects: StoredObjects,
    private readonly calls: RawCalls,
    private readonly planner: Planner,
    private readonly bodies: BodyMemory,
  ) {}

  /** `POST /v1/files`: a form that streams by to the provider of the model in `x-deja-model`, else of the first that keeps files. */
  async upload(operation: Operation, source: IncomingMessage, response: ServerResponse): Promise<void> {
    const { principal, snapshot } = await this.admission.authenticate(operation);
    operation.captured?.sentForm(operation.headers['content-type'] ?? '');
    const form = new Form(operation.headers['content-type'], source, { texts: [], treat: (text) => text, judge: () => Promise.resolve(), share: this.bodies.share() });
    try {
      if ((await form.readAhead('purpose')) === null && form.ended) throw purposeMissing();
      const plan = this.planFor(principal.tenant, snapshot, keeperOf('files', operation, principal, snapshot));
      await this.admission.reserve(operation, 0, snapshot);
      const question: RawQuestion = { ...asking('POST', 'files', []), headers: { 'content-type': form.contentType }, body: () => wholeOrNull(form) };
      const answer = await this.calls.run(operation, question, plan, snapshot.settings);
      form.answered();
      await this.sendMade(operation, principal, 'file', answer, response);
    } finally {
      form.close();
    }
  }

  /** `POST /v1/batches`: goes where its input file is. */
  async createBatch(operation: Operation, bytes: Buffer, response: ServerResponse): Promise<void> {
    const { principal, snapshot } = await this.admission.authenticate(operation);
    checkSize(bytes.length, validationFor(principal, snapshot));
    const body = parseJsonBody(bytes);
    operation.captured?.asked(body, []);
    if (typeof body.value['input_file_id'] !== 'string') throw new DejaError('missing_required_parameter', "Missing required parameter: 'input_file_id'.", { param: 'input_file_id' });
    const pin = await pinOf(this.objects, principal.tenant, body.value);
    if (pin === null) throw new DejaError('invalid_value', "Invalid value for 'input_file_id': expected the id of a file.", { param: 'input_file_id' });
    await this.admission.reserve(operation, 0, snapshot);
    const question: RawQuestion = { ...asking('POST', 'batches', []), headers: { 'content-type': 'application/json' }, body: () => body.text };
    const answer = await this.calls.run(operation, question, this.planFor(principal.tenant, snapshot, pin), snapshot.settings);
    await this.sendMade(operation, principal, 'batch', answer, response);
  }

  /** One call about one object: read, delete, cancel, its content. */
  async about(operation: Operation, call: ObjectCall, bytes: Buffer, response: ServerResponse): Promise<void> {
    const { principal, snapshot } = await this.admission.authenticate(operation);
    const object = await this.objects.find(principal.tenant, call.id);
    if (object === null || object.kind !== call.kind) throw new DejaError('not_found', `There is no ${call.kind} '${call.id.slice(0, 64)}'.`, { param: 'id' });
    await this.admission.reserve(operation, 0, snapshot);
    const path = [FOLDER[call.kind], idSegment(call.id), ...(call.action === '' ? [] : [call.action])].join('/');
    const sent = call.method === 'POST' && bytes.length > 0 ? parseJsonBody(bytes) : null;
    if (sent !== null) operation.captured?.asked(sent, []);
    const asked: RawQuestion = { ...asking(call.method, path, call.query), ...(sent !== null && { headers: { 'content-type': 'application/json' }, body: () => sent.text }) };
    const answer = await this.calls.run(operation, asked, this.planFor(principal.tenant, snapshot, object), snapshot.settings);
    const stored = new StoredResponse(this.guard, operation, snapshot);
    const watched = call.kind === 'response' && stored.isWatched;
    const streams = call.query.some(([name, value]) => name === 'stream' && value === 'true');
    if (watched && streams) return stored.stream(answer, call.query, response);
    if (call.action === 'content' || streams) return relayRaw(operation, answer, response, snapshot.settings.timeouts.idle_ms);
    const { bytes: reply, json } = await readJson(answer);
    if (call.method === 'DELETE') await this.objects.forget(principal.tenant, call.id);
    if (call.kind === 'batch') {
      await this.bill(object, batchBill(json, call.id), operation, answer, snapshot);
      await this.rememberResults(object, json);
    }
    if (call.kind === 'response') {
      await this.bill(object, responseBill(json, call.id), operation, answer, snapshot);
      await this.rememberItems(object, json);
    }
    operation.servedModel = answer.candidate.model;
    sendJson(operation, response, answer.reply.status, watched ? await stored.whole(reply, json) : reply);
  }

  /** `GET /v1/files`, `GET /v1/batches`: of everything in the accounts, what is this tenant's. */
  async list(operation: Operation, kind: 'file' | 'batch', query: Readonly<Record<string, string>>, response: ServerResponse): Promise<void> {
    const { principal, snapshot } = await this.admission.authenticate(operation);
    await this.admission.reserve(operation, 0, snapshot);
    const { tenant } = principal;
    const page = async (account: Pin, asked: Record<string, string>): Promise<ListPage> => {
      const answer = await this.calls.run(operation, asking('GET', FOLDER[kind], Object.entries(asked)), this.planFor(principal.tenant, snapshot, account), snapshot.settings);
      return (await readJson(answer)).json as unknown as ListPage;
    };
    const known = await this.objects.accounts(tenant, kind);
    const accounts = known.filter((account) => snapshot.deployments.some(({ provider }) => provider === account.provider));
    const after = query['after'] === undefined ? null : await this.objects.find(tenant, query['after']);
    if (query['after'] !== undefined && after?.kind !== kind) throw new DejaError('not_found', `There is no ${kind} '${query['after'].slice(0, 64)}'.`, { param: 'after' });
    const body = await listOwn({ accounts, after, query, page, own: (ids) => this.objects.findAll(tenant, ids) });
    sendJson(operation, response, 200, Buffer.from(JSON.stringify(body)));
  }

  /** What was made is this tenant's before the client learns its id. */
  private async sendMade(operation: Operation, { tenant }: Principal, kind: StoredObjectKind, answer: RawAnswer, response: ServerResponse): Promise<void> {
    const { bytes, json } = await readJson(answer);
    const { provider, deployment, credential } = answer.call.record;
    if (typeof json['id'] === 'string') await this.objects.remember({ tenant, kind, id: json['id'], provider, deployment, credential, createdAtMs: Date.now() });
    if (kind === 'batch' && typeof json['id'] === 'string') await this.objects.leaveUnbilled(tenant, json['id']);
    operation.servedModel = answer.candidate.model;
    sendJson(operation, response, answer.reply.status, bytes);
  }

  /** What ended in the provider's own time, a background response or a batch, is billed once, to whoever sees first that it has ended. */
  private async bill({ tenant, id }: Known, bill: LateBill | null, operation: Operation, { call, candidate }: RawAnswer, { settings }: RoutingSnapshot): Promise<void> {
    if (bill === null || !(await this.objects.claimBill(tenant, id))) return;
    const { provider, kind } = candidate.deployment;
    const { usage, model } = bill;
    const price = model === null ? null : priceOf({ provider, kind, upstreamModel: model, overrides: settings.prices, atMs: operation.receivedAtMs });
    Object.assign(call.record, { usage, usageSource: 'upstream', price, ...(model !== null && { model }) });
  }

  /** What a background response has put out is told here first. Its input is not asked for ids: a client may have written them. */
  private async rememberItems(object: Known, json: Record<string, unknown>): Promise<void> {
    const response = asResponse(json);
    if (response?.id === object.id) await this.objects.rememberParts({ ...object, createdAtMs: Date.now() }, itemIds(response.output));
  }

  /** A batch's results are files that the provider made for its owner. */
  private async rememberResults(batch: Known, json: Record<string, unknown>): Promise<void> {
    for (const name of ['output_file_id', 'error_file_id']) {
      const id = json[name];
      if (typeof id === 'string' && id !== '') await this.objects.remember({ ...batch, kind: 'file', id, createdAtMs: Date.now() });
    }
  }

  /** A plan for one account, whatever models it serves. */
  private planFor(tenant: string, snapshot: RoutingSnapshot, pin: Pin): Plan {
    const deployment = snapshot.deployments.find(({ id }) => id === pin.deployment) ?? snapshot.deployments.find(({ provider }) => provider === pin.provider);
    if (deployment === undefined) throw new DejaError('no_deployment_available', 'The provider that has this object is not configured any more.', { retryAfterMs: 60_000 });
    const name = `${deployment.provider} account`;
    // What a provider keeps can be had also while its deployment is drained: that is about new work only.
    const only: RoutingSnapshot = {
      ...snapshot,
      deployments: [{ ...deployment, drained: false }],
      models: [{ name, strategy: 'weighted', deployments: [{ id: deployment.id, weight: 1, priority: 1 }], fallbacks: [] }],
    };
    const plan = this.planner.plan(only, { model: name, tenant, promptTokens: 0, pin });
    // No model has a part in it.
    return { ...plan, candidates: plan.candidates.map((candidate) => ({ ...candidate, model: '' })) };
  }
}

const asking = (method: RawQuestion['method'], path: string, query: QueryPairs): RawQuestion => ({
  method,
  url: ({ deployment, upstreamModel }: Candidate) => addressOf(deployment, upstreamModel, path, query),
  headers: {},
  body: null,
  price: () => UNBILLED,
  asked: { medium: null, characters: null },
  promptTokens: 0,
});

function wholeOrNull(form: Form): AsyncIterable<Uint8Array> | null {
  const body = form.body(null);
  return body && wholeUpload(body, form.contentType, FORM_BOUNDS);
}

/** Who is to keep something that names no model: the provider of the model in `x-deja-model`, of `*`, or the first that can. */
function keeperOf(offer: 'files', operation: Operation, principal: Principal, snapshot: RoutingSnapshot): Pin {
  const wanted = operation.headers['x-deja-model'];
  const able = snapshot.deployments.filter((deployment) => offers({ deployment }, offer));
  const servedBy = (name: string): Candidate['deployment'] | undefined => {
    const model = snapshot.models.find((m) => m.name === name);
    return able.find(({ id }) => model?.deployments.some((deployment) => deployment.id === id));
  };
  if (typeof wanted === 'string' && wanted !== '') {
    operation.requestedModel = wanted.slice(0, 256);
    checkModel(wanted, principal, snapshot);
  }
  const keeper = typeof wanted === 'string' && wanted !== '' ? (servedBy(wanted) ?? servedBy('*')) : (servedBy('*') ?? able[0]);
  if (keeper === undefined) throw new DejaError('invalid_value', `No provider ${typeof wanted === 'string' ? `of the model '${wanted}' ` : ''}has ${offer}.`, { param: 'model' });
  return { provider: keeper.provider, deployment: keeper.id, credential: null };
}
