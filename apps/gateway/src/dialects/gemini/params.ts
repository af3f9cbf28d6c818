import type { ParamRule, ParamTable } from '../params.ts';

const isEmpty = (value: unknown): boolean => typeof value === 'object' && value !== null && Object.keys(value).length === 0;
const is = (neutral: unknown) => (value: unknown): boolean => value === neutral;
const isTextOnly = (value: unknown): boolean => Array.isArray(value) && value.every(is('text'));

const translated = (note: string, isNeutral?: ParamRule['isNeutral']): ParamRule => ({ fate: 'translated', note, ...(isNeutral && { isNeutral }) });
const dropped = (note: string, isNeutral?: ParamRule['isNeutral']): ParamRule => ({ fate: 'dropped', note, ...(isNeutral && { isNeutral }) });
const refused = (note: string, isNeutral?: ParamRule['isNeutral']): ParamRule => ({ fate: 'refused', note, ...(isNeutral && { isNeutral }) });

/** What becomes of a chat completion's parameters at Gemini ("GenerationConfig" and "ToolConfig" in the Gemini API reference). */
export const geminiParams: ParamTable = {
  model: translated('part of the path'),
  messages: translated('contents and systemInstruction'),
  stream: translated('streamGenerateContent instead of generateContent'),
  stream_options: translated('Gemini counts in every event; the last chunk carries the usage'),
  n: translated('candidateCount'),
  temperature: translated('temperature'),
  top_p: translated('topP'),
  top_k: translated('topK'),
  max_tokens: translated('maxOutputTokens, thoughts included'),
  max_completion_tokens: translated('maxOutputTokens, thoughts included'),
  stop: translated('stopSequences; Gemini takes five'),
  seed: translated('seed, its lowest 32 bits'),
  presence_penalty: translated('presencePenalty', is(0)),
  frequency_penalty: translated('frequencyPenalty', is(0)),
  logprobs: translated('responseLogprobs', is(false)),
  top_logprobs: translated('logprobs', is(0)),
  response_format: translated('responseMimeType and responseJsonSchema'),
  tools: translated('functionDeclarations; tools that are no functions are left out'),
  tool_choice: translated('functionCallingConfig'),
  parallel_tool_calls: translated('false: only the first call of a reply is passed on', is(true)),
  reasoning_effort: translated('thinkingLevel from Gemini 3 on, thinkingBudget for Gemini 2.5'),
  modalities: translated('responseModalities', isTextOnly),
  service_tier: translated('serviceTier', is('auto')),
  extra_body: translated('google.thinking_config becomes thinkingConfig'),
  logit_bias: refused('Gemini cannot weigh single tokens', isEmpty),
  audio: refused('Gemini has other voices and audio formats'),
  web_search_options: refused('a Gemini answer grounded in Google Search has another form'),
  functions: refused('use tools', isEmpty),
  function_call: refused('use tool_choice', (value) => value === 'auto' || value === 'none'),
  moderation: refused('Gemini does not moderate with a model of choice'),
  prediction: dropped('it speeds an answer up and does not change it'),
  prompt_cache_key: dropped('Gemini caches by itself'),
  prompt_cache_options: dropped('Gemini caches by itself'),
  prompt_cache_retention: dropped('Gemini caches by itself'),
  verbosity: dropped('Gemini has no setting for it', is('medium')),
  user: dropped('Gemini is not told who asks'),
  safety_identifier: dropped('Gemini is not told who asks'),
  metadata: dropped('Gemini keeps none', isEmpty),
  store: dropped('Gemini keeps no completions', is(false)),
};
