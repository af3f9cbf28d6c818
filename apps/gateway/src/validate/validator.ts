import { DejaError, type Deployment, type Principal, type RoutingSnapshot, type Validation } from '@deja/contracts';
import { modelFacts } from '@deja/pricing';
import { resolveModelName, type ResolvedModel } from '@deja/routing';
import { estimate, isWithin, tokenizerFor, upperBound } from '@deja/tokens';
import type { Operation } from '../operation/operation.ts';
import { headerText, tagsOf, userOf } from '../operation/request-headers.ts';
import { checkPriority } from '../overload/priority.ts';
import type { ApiRequest, Endpoint } from '../pipeline/endpoint.ts';
import { parseJsonBody, withMembers, type JsonBody } from './json-body.ts';

const MAX_MODEL_CHARS = 256;
const ANY_MODEL = '*';

interface Validated<R> {
  request: R;
  promptTokens: number;
}

/** Step 3: everything that can be refused before it costs anything. Fills in what the operation knows of the request. */
export class Validator {
  /** Throws, or rejects with, a DejaError that names the field. `promptTokens` is exact where a ceiling or a context window is near, else an estimate, and that is there at once. */
  validate<R extends ApiRequest>(
    endpoint: Endpoint<R>,
    operation: Operation,
    principal: Principal,
    bytes: Buffer,
    snapshot: RoutingSnapshot,
  ): Validated<R> | Promise<Validated<R>> {
    checkPriority(operation.headers);
    operation.requestTags = tagsOf(headerText(operation.headers['x-deja-tags']));
    const rules = validationFor(principal, snapshot);
    checkSize(bytes.length, rules);
    const body = readBody(endpoint, operation, bytes);
    const parsed = endpoint.parse(body);
    checkMessages(parsed, rules);
    checkOneOutputParam(parsed);
    const request = withinOutputCeiling(endpoint, parsed, rules);
    operation.user = userOf(headerText(operation.headers['x-deja-user']), request.user);
    checkModel(request.model, principal, snapshot);
    const validated = (promptTokens: number): Validated<R> => {
      operation.estimatedPromptTokens = promptTokens;
      return { request, promptTokens };
    };
    const promptTokens = countPrompt(request, rules, snapshot);
    return typeof promptTokens === 'number' ? validated(promptTokens) : promptTokens.then(validated);
  }
}

/** The ceilings that hold for this client: the key's, else its tenant's, else everyone's. */
export const validationFor = (principal: Principal, { settings }: RoutingSnapshot): Validation => ({ ...settings.validation, ...principal.validation });

export function checkSize(length: number, rules: Validation): void {
  if (length > rules.max_body_bytes) {
    throw new DejaError('request_too_large', `The request body has ${length} bytes, at most ${rules.max_body_bytes} are allowed.`);
  }
}

/** Whether this name can be served, and by this client. */
export function checkModel(model: string, principal: Principal, snapshot: RoutingSnapshot): void {
  const resolved = resolveModelName(snapshot, model);
  if (resolved === null) throw noSuchModel(model);
  if (!mayUse(principal, model, resolved)) {
    throw new DejaError('model_not_allowed', `This API key may not use the model '${model}'. GET /v1/models lists those it may use.`, { param: 'model' });
  }
}

export const noSuchModel = (model: string): DejaError => new DejaError('model_not_found', `The model '${model}' does not exist.`, { param: 'model' });

/** Whether this client may use a name and what it stands for. Whoever may use a model that chooses among others may also say how: `auto:speed`. */
export function mayUse({ models }: Pick<Principal, 'models'>, name: string, { model, preference }: ResolvedModel): boolean {
  if (models === null || models.includes(name)) return true;
  return preference !== null && model.name !== ANY_MODEL && models.includes(model.name);
}

function readBody(endpoint: Endpoint, operation: Operation, bytes: Buffer): JsonBody {
  const body = parseJsonBody(bytes);
  const { model } = body.value;
  if (typeof model === 'string') operation.requestedModel = model.slice(0, MAX_MODEL_CHARS);
  else if (endpoint.defaultModel !== null && (model === undefined || model === null)) operation.requestedModel = endpoint.defaultModel;
  operation.stream = body.value['stream'] === true;
  return body;
}

function checkMessages({ messages, body }: ApiRequest, rules: Validation): void {
  if (messages <= rules.max_messages) return;
  throw new DejaError('invalid_value', `Too many messages: ${messages}, at most ${rules.max_messages} are allowed.`, { param: promptMember(body) });
}

/** Every name that an API of OpenAI's kind has for the most output there may be. */
const OUTPUT_PARAMS = ['max_tokens', 'max_completion_tokens', 'max_output_tokens'];

/** Servers differ in which of two names they obey, so that what counts here would not be what holds there. OpenAI refuses both of them too. */
function checkOneOutputParam({ body, outputParam }: ApiRequest): void {
  if (outputParam === null) return;
  const other = OUTPUT_PARAMS.find((name) => name !== outputParam && body.value[name] !== undefined && body.value[name] !== null);
  if (other !== undefined) throw new DejaError('invalid_value', `Invalid value for '${other}': say how much output there may be by '${outputParam}' alone.`, { param: other });
}

/** More output than is allowed is refused, or lowered to the ceiling; then the ceiling also stands where the client set none. */
function withinOutputCeiling<R extends ApiRequest>(endpoint: Endpoint<R>, request: R, rules: Validation): R {
  const { maxOutputTokens, outputParam } = request;
  const ceiling = rules.max_output_tokens;
  if (outputParam === null) return request;
  if (maxOutputTokens !== null && maxOutputTokens <= ceiling) return request;
  if (rules.over_output === 'clamp') {
    return endpoint.parse(parseJsonBody(Buffer.from(withMembers(request.body, { [outputParam]: String(ceiling) }))));
  }
  if (maxOutputTokens === null) return request;
  throw new DejaError('invalid_value', `${maxOutputTokens} output tokens were asked for, at most ${ceiling} are allowed.`, { param: outputParam });
}

/**
 * Tokens of the prompt, on the right side of every limit: the ceiling here, and each context window of a candidate. A bound that no prompt exceeds decides
 * most cases; only where a limit is near does the tokenizer count, from the tightest limit on, and no further than it has to.
 */
function countPrompt(request: ApiRequest, rules: Validation, snapshot: RoutingSnapshot): number | Promise<number> {
  const { tokenizer, windows } = countedFor(request.model, snapshot);
  const ceiling = rules.max_input_tokens;
  const upper = upperBound(request.parts, tokenizer);
  if (upper <= Math.min(windows[0] ?? ceiling, ceiling)) return Math.min(estimate(request.parts, tokenizer), upper);
  return countExactly(request, tokenizer, [...windows.filter((window) => window < ceiling), ceiling]);
}

/** @param limits in rising order, the last one is the ceiling */
async function countExactly({ parts, body }: ApiRequest, tokenizer: Tokenizer, limits: readonly number[]): Promise<number> {
  let over = -1;
  for (const limit of limits) {
    const { within, tokens } = await isWithin(parts, limit, tokenizer);
    if (within) return Math.max(tokens, over + 1);
    over = limit;
  }
  throw new DejaError('context_length_exceeded', `The prompt has more than ${over} tokens, which is the most allowed here.`, { param: promptMember(body) });
}

type Tokenizer = ReturnType<typeof tokenizerFor>;

interface CountedFor {
  tokenizer: Tokenizer;
  /** What the context windows of the models that may serve take of a prompt, each once, in rising order. */
  windows: readonly number[];
}

/** Of each snapshot by the name that is asked for: the same until there is a new one. */
const counted = new WeakMap<RoutingSnapshot, Map<string, CountedFor>>();
/** Names behind `*` are the clients' own. */
const MOST_NAMES = 1000;

function countedFor(name: string, snapshot: RoutingSnapshot): CountedFor {
  let known = counted.get(snapshot);
  if (known === undefined) counted.set(snapshot, (known = new Map()));
  let found = known.get(name);
  if (found === undefined) {
    const candidates = candidatesOf(name, snapshot);
    // An answer needs one token of the window.
    const windows = candidates.flatMap((candidate) => modelFacts(candidate)?.contextTokens ?? []).map((window) => window - 1);
    found = { tokenizer: tokenizerFor(candidates[0]?.upstreamModel ?? name), windows: [...new Set(windows)].sort((a, b) => a - b) };
    if (known.size < MOST_NAMES) known.set(name, found);
  }
  return found;
}

/** The upstream models that may serve this one: its own first, or those it chooses among, then those of its fallbacks. */
function candidatesOf(name: string, snapshot: RoutingSnapshot, seen = new Set<string>()): Pick<Deployment, 'provider' | 'kind' | 'upstreamModel'>[] {
  const model = resolveModelName(snapshot, name)?.model;
  if (model === undefined || seen.has(name)) return [];
  seen.add(name);
  const own = model.deployments.flatMap(({ id }) => {
    const deployment = snapshot.deployments.find((d) => d.id === id);
    if (deployment === undefined) return [];
    const { provider, kind, upstreamModel } = deployment;
    return [{ provider, kind, upstreamModel: upstreamModel === ANY_MODEL ? name : upstreamModel }];
  });
  const others = [...(model.candidates ?? []), ...model.fallbacks, ...(model.fallbacksOn?.contextWindow ?? [])];
  return [...own, ...others.flatMap((other) => candidatesOf(other, snapshot, seen))];
}

/** Where the prompt stands in the body. */
export const promptMember = ({ value }: JsonBody): string => ['messages', 'input', 'prompt'].find((name) => value[name] !== undefined) ?? 'messages';
