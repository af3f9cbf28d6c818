import type { ChatBody } from '../../chat/chat-request.ts';
import type { TranslationContext } from '../dialect.ts';
import { isObject } from './generate-content.ts';
import { geminiSchema } from './schema.ts';
import { thinkingOf, thinkingOfExtraBody } from './thinking.ts';

/**
 * How the answer is to be made ("GenerationConfig" in the Gemini API reference). Neutral values are not sent: some models
 * refuse a setting whatever its value.
 * @param leftOut gets the names of parameters whose value this model cannot be told
 */
export function generationConfig(body: ChatBody, context: TranslationContext, leftOut: string[]): Record<string, unknown> {
  const asked = body.max_completion_tokens ?? body.max_tokens ?? null;
  const stop = (typeof body.stop === 'string' ? [body.stop] : (body.stop ?? [])).filter((text) => text !== '');
  const thinkingConfig = thinkingConfigOf(body, context.upstreamModel, leftOut);
  const modalities = modalitiesOf(body['modalities']);
  return {
    ...(asked !== null && { maxOutputTokens: Math.min(asked, context.maxOutputTokens ?? asked) }),
    ...(typeof body.n === 'number' && body.n > 1 && { candidateCount: body.n }),
    ...(typeof body.temperature === 'number' && { temperature: body.temperature }),
    ...(typeof body.top_p === 'number' && { topP: body.top_p }),
    ...(typeof body['top_k'] === 'number' && { topK: body['top_k'] }),
    ...(typeof body.seed === 'number' && { seed: Number(BigInt.asIntN(32, BigInt(body.seed))) }),
    ...(body.presence_penalty && { presencePenalty: body.presence_penalty }),
    ...(body.frequency_penalty && { frequencyPenalty: body.frequency_penalty }),
    ...(stop.length > 0 && { stopSequences: stop }),
    ...(body.logprobs === true && { responseLogprobs: true, ...(body.top_logprobs && { logprobs: body.top_logprobs }) }),
    ...responseFormat(body.response_format, leftOut),
    ...(modalities !== null && { responseModalities: modalities }),
    ...(thinkingConfig !== null && { thinkingConfig }),
  };
}

/** `serviceTier` for `service_tier`; null when the default is meant or Gemini has no such tier. */
export function serviceTier(tier: unknown, leftOut: string[]): string | null {
  if (tier === undefined || tier === null || tier === 'auto') return null;
  if (tier === 'default') return 'standard';
  if (tier === 'flex' || tier === 'priority') return tier;
  leftOut.push('service_tier');
  return null;
}

function responseFormat(format: ChatBody['response_format'], leftOut: string[]): Record<string, unknown> {
  if (format?.type === 'json_object') return { responseMimeType: 'application/json' };
  if (format?.type !== 'json_schema') {
    if (format && format.type !== 'text') leftOut.push('response_format');
    return {};
  }
  const described = isObject(format['json_schema']) ? format['json_schema'] : {};
  return { responseMimeType: 'application/json', ...(isObject(described['schema']) && { responseJsonSchema: geminiSchema(described['schema']) }) };
}

function modalitiesOf(modalities: unknown): string[] | null {
  if (!Array.isArray(modalities)) return null;
  const named = modalities.filter((one) => typeof one === 'string').map((one) => one.toUpperCase());
  return named.every((one) => one === 'TEXT') ? null : named;
}

function thinkingConfigOf(body: ChatBody, model: string, leftOut: string[]): Record<string, unknown> | null {
  const effort = body['reasoning_effort'];
  const byEffort = thinkingOf(effort, model);
  if (byEffort === null && effort !== undefined && effort !== null && effort !== 'none') leftOut.push('reasoning_effort');
  const extra = thinkingOfExtraBody(body['extra_body']);
  if (extra.leftOut) leftOut.push('extra_body');
  const own = extra.config.thinkingBudget !== undefined || extra.config.thinkingLevel !== undefined;
  const config = own ? extra.config : { ...byEffort, ...extra.config }; // a budget and a level together are refused
  return Object.keys(config).length > 0 ? { ...config } : null;
}
