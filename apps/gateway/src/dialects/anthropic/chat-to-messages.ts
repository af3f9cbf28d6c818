import { createHash } from 'node:crypto';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { ProviderCall, TranslationContext } from '../dialect.ts';
import { droppedParams } from '../params.ts';
import { chatToTurns } from './chat-to-turns.ts';
import { claudeModel, type ClaudeModel } from './claude-model.ts';
import { jsonPlan } from './json-output.ts';
import { isObject, type JsonObject } from './messages-api.ts';
import { params } from './params.ts';
import { isThinking, thinkingFields } from './thinking.ts';
import { toolFields } from './tools.ts';

const API_VERSION = '2023-06-01';

/** Anthropic requires `max_tokens`; every model has at least this many. */
const DEFAULT_MAX_TOKENS = 4096;

/** A chat completion request as a request for a message. Source: Anthropic, API reference, "Messages". */
export function chatToMessages(body: ChatBody, context: TranslationContext): ProviderCall {
  const model = claudeModel(context.upstreamModel);
  const json = jsonPlan(body, model);
  // Anthropic begins the answer itself where its form is enforced; the client cannot have begun it then.
  const enforced = json.way === 'format' || json.way === 'tool';
  const { system, turns } = chatToTurns(body.messages, model.prefill && !enforced);
  const tools = toolFields(body, model, json);
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? context.maxOutputTokens ?? DEFAULT_MAX_TOKENS;
  const forcedTool = ['any', 'tool'].includes(String(tools.tool_choice?.['type']));
  const { thinking, effort, unavailable } = thinkingFields({ effort: body['reasoning_effort'], thinking: body['thinking'], maxTokens, forcedTool, turns }, model);
  const sampling = samplingFields(body, isThinking(thinking) ? 'none' : model.sampling);
  const tier = serviceTier(body['service_tier']);
  const outputConfig = { ...(effort !== undefined && { effort }), ...(json.way === 'format' && { format: { type: 'json_schema', schema: json.schema } }) };
  const stop = [body.stop ?? []].flat().filter((text) => text.trim() !== '');
  const userId = metadataUserId(body);
  if (json.way === 'instruction') system.push({ type: 'text', text: json.text });
  const message = {
    model: context.upstreamModel,
    max_tokens: maxTokens,
    ...(system.length > 0 && { system }),
    messages: turns,
    ...tools,
    ...(thinking && { thinking }),
    ...(Object.keys(outputConfig).length > 0 && { output_config: outputConfig }),
    ...sampling.fields,
    ...(stop.length > 0 && { stop_sequences: stop }),
    ...(userId !== null && { metadata: { user_id: userId } }),
    ...(tier.value !== null && { service_tier: tier.value }),
    ...(isObject(body['cache_control']) && { cache_control: body['cache_control'] }),
    stream: context.stream,
  };
  return {
    path: '/v1/messages',
    headers: { 'content-type': 'application/json', 'anthropic-version': API_VERSION },
    body: JSON.stringify(message),
    dropped: [...droppedParams(params, body), ...sampling.dropped, ...(unavailable ? ['reasoning_effort'] : []), ...(tier.dropped ? ['service_tier'] : [])],
  };
}

/**
 * How to sample, as far as the model lets itself be told. The default (1 for both) is not sent, since a model that takes
 * only one of them, or none, would refuse even that.
 */
function samplingFields(body: ChatBody, taken: ClaudeModel['sampling']): { fields: JsonObject; dropped: string[] } {
  const asked: [string, unknown][] = [
    ['temperature', typeof body.temperature === 'number' && body.temperature !== 1 ? Math.min(body.temperature, 1) : undefined],
    ['top_p', body.top_p === 1 ? undefined : body.top_p],
    ['top_k', body['top_k']],
  ];
  const given = asked.filter(([, value]) => typeof value === 'number');
  const withTemperature = given.some(([name]) => name === 'temperature');
  const isTaken = (name: string): boolean => taken === 'both' || (taken === 'one' && (name !== 'top_p' || !withTemperature));
  return { fields: Object.fromEntries(given.filter(([name]) => isTaken(name))), dropped: given.map(([name]) => name).filter((name) => !isTaken(name)) };
}

/** OpenAI's `default` is the standard tier without priority capacity; its other tiers have no counterpart. */
function serviceTier(asked: unknown): { value: string | null; dropped: boolean } {
  if (asked === undefined || asked === null || asked === 'auto') return { value: null, dropped: false };
  return asked === 'default' || asked === 'standard_only' ? { value: 'standard_only', dropped: false } : { value: null, dropped: true };
}

const MAX_USER_ID_CHARS = 256;

/** Anthropic refuses a user id that is an e-mail address or a telephone number; its hash names the same user. */
function metadataUserId(body: ChatBody): string | null {
  const user = body.safety_identifier ?? body.user ?? '';
  if (user === '') return null;
  const personal = user.includes('@') || /^\+?[\d\s().-]{7,}$/.test(user);
  return personal || user.length > MAX_USER_ID_CHARS ? createHash('sha256').update(user).digest('hex') : user;
}
