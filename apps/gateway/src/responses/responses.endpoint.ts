import type { Eligibility } from '@deja/cache-key';
import { NOTHING_STORED, type Exchange, type WholeReply } from '../attempt/exchange.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import { Transcript } from '../attempt/transcript.ts';
import { chatCall, readOrBlocked } from '../chat/chat-exchange.ts';
import { saidInCompletion } from '../chat/said.ts';
import { openAiCallOf } from '../dialects/openai/call.ts';
import { droppedParams } from '../dialects/params.ts';
import { offers, unsuitedForChat } from '../dialects/unsuited.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';
import type { ApiRequest, Endpoint, ExchangeContext } from '../pipeline/endpoint.ts';
import { parsedReply } from '../reply/parsed-reply.ts';
import { parseJsonBody, type JsonBody } from '../validate/json-body.ts';
import { PartsCollector } from '../validate/prompt-parts.ts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { ResponseEventWriter } from './chat-stream-to-response-events.ts';
import { responseOf } from './chat-to-response.ts';
import { guardedResponse, spokenInResponse } from './guarded-response.ts';
import { responseSse } from './response-events.ts';
import { itemIds, type ResponseObject, type ResponseOrigin } from './response-object.ts';
import { NativeResponseReader, TranslatedResponseReader } from './response-readers.ts';
import { responseEvents } from './response-replay.ts';
import { asResponse, isCompleteResponse, isUnderWay, isStorableResponse, usageOfResponse } from './response-stream.ts';
import { chatBodyOf, refusedInResponse, responsesParams } from './response-to-chat.ts';
import { responsesRequest, type ResponsesBody } from './responses-request.ts';
import { saidInOutput } from './said.ts';

const PATH = 'responses';
/** A response in the background is billed when its usage is first seen. */
const NOTHING_YET = { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };

/** A validated request for a model response. */
export interface ResponsesRequest extends ApiRequest {
  value: ResponsesBody;
}

/** `POST /v1/responses`: passed on where the provider has them, translated to chat completions and back where it has not. */
export const RESPONSES: Endpoint<ResponsesRequest> = {
  path: PATH,
  genAiOperation: 'chat',
  defaultModel: null,
  textMembers: ['input', 'instructions'],
  parse: parseResponsesRequest,
  eligibility: ({ value }) => eligibilityOf(value),
  unsuited({ value }, candidate) {
    if (offers(candidate, PATH)) return null;
    const refused = refusedInResponse(value);
    if (refused) return { param: refused.param, message: `Unsupported parameter '${refused.param}' for provider ${candidate.deployment.provider}: ${refused.reason}.` };
    return unsuitedForChat(chatBodyOf(value), candidate);
  },
  exchange: (request, context) => (offers(context.candidate, PATH) ? nativeExchange(request, context) : translatedExchange(request, context)),
  replay(kept) {
    const response = asResponse(JSON.parse(kept.toString('utf8')));
    if (response === null) throw new Error('a cache entry is not a response');
    return events(response);
  },
};

function* events(response: ResponseObject): Generator<string> {
  for (const event of responseEvents(response)) yield responseSse(event);
}

function parseResponsesRequest(body: JsonBody): ResponsesRequest {
  const value = parseOrRefuse(responsesRequest, body.value);
  const items = Array.isArray(value.input) ? value.input.length : 1;
  const format = value.text?.format;
  return {
    body,
    value,
    model: value.model,
    stream: value.stream === true,
    user: value.safety_identifier ?? value.user ?? null,
    parts: new PartsCollector().add(value.instructions).add(value.input).parts(items, [value.tools, format]),
    messages: items,
    maxOutputTokens: value.max_output_tokens ?? null,
    outputParam: 'max_output_tokens',
    choices: 1,
    lastUserText: null,
  };
}

/** What depends on more than the request's own words is not shared. Similar questions are found for chat completions only. */
function eligibilityOf(value: ResponsesBody): Eligibility {
  const no = (reason: Eligibility['reason']): Eligibility => ({ exact: false, semantic: false, reason });
  if (value.previous_response_id != null || value.conversation != null || value.prompt != null) return no('stateful');
  if (value.background === true) return no('background');
  if ((value.tools ?? []).some(({ type }) => type !== 'function' && type !== 'custom')) return no('hosted_tools');
  return { exact: true, semantic: false, reason: null };
}

function nativeExchange({ body, value, stream }: ResponsesRequest, { candidate, rules, watched }: ExchangeContext): Exchange {
  const stored = value.store !== false;
  return {
    ...openAiCallOf(body, candidate, { endpoint: PATH, stream, includeUsage: false }),
    whole: (bytes) => wholeResponse(bytes, stored, rules),
    stream: () => new NativeResponseReader(stored, rules, new Transcript(watched)),
  };
}

function wholeResponse(bytes: Buffer, stored: boolean, rules: AnswerRules | null): WholeReply {
  const response = asResponse(parsedReply(bytes));
  if (response === null) throw new AttemptFailure('malformed');
  const facts = { usage: isUnderWay(response) ? NOTHING_YET : usageOfResponse(response), underWay: isUnderWay(response), said: () => saidInOutput(response.output), storedIds: stored ? { response: response.id, parts: itemIds(response.output) } : NOTHING_STORED };
  try {
    const treated = rules === null ? response : guardedResponse(response, rules);
    return { ...facts, ...kept(treated, treated === response ? bytes : null), text: spokenInResponse(treated) };
  } catch (error) {
    if (!(error instanceof AttemptFailure) || error.rule === null) throw error;
    return { ...facts, body: Buffer.alloc(0), text: '', storable: false, complete: false, blockedBy: error.rule };
  }
}

function translatedExchange({ value, stream }: ResponsesRequest, context: ExchangeContext): Exchange {
  const body = chatBodyOf(value);
  const call = chatCall({ json: parseJsonBody(Buffer.from(JSON.stringify(body))), body, stream, includeUsage: false }, context);
  const origin: ResponseOrigin = { id: `resp_${context.operationId.replaceAll('-', '')}`, createdAtS: context.createdS, nowS: () => Math.floor(Date.now() / 1000) };
  return {
    ...call,
    dropped: [...new Set([...droppedParams(responsesParams, value), ...call.dropped])],
    whole: (reply) => {
      const read = readOrBlocked(call, reply);
      if ('blocked' in read) return read.blocked;
      const response = responseOf(read.completion, value, origin);
      return { ...kept(response, null), usage: call.usageIn(read.completion), said: () => saidInCompletion(read.completion), text: spokenInResponse(response) };
    },
    stream: () => new TranslatedResponseReader(call.chunks(), new ResponseEventWriter(value, origin), call.usageIn, new Transcript(context.watched)),
  };
}

const kept = (response: ResponseObject, bytes: Buffer | null): Pick<WholeReply, 'body' | 'storable' | 'complete'> => ({
  body: bytes ?? Buffer.from(JSON.stringify(response)),
  storable: isStorableResponse(response),
  complete: isCompleteResponse(response),
});
