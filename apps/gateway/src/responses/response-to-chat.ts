import type { ChatBody } from '../chat/chat-request.ts';
import { refusedParam, type ParamTable } from '../dialects/params.ts';
import { messagesOf, type Refuse, type Untranslatable } from './input-to-messages.ts';
import type { ResponsesBody } from './responses-request.ts';

const isFalse = (value: unknown): boolean => value === false;
const STATELESS = 'translated calls keep nothing: it needs a provider that has the Responses API';

/** What becomes of each parameter of a response where the provider has only chat completions. What is not listed is dropped and listed. */
export const responsesParams: ParamTable = {
  model: { fate: 'passed', note: '' },
  input: { fate: 'translated', note: '`messages`' },
  instructions: { fate: 'translated', note: 'a system message' },
  stream: { fate: 'translated', note: 'typed events are made from the chunks' },
  max_output_tokens: { fate: 'translated', note: '`max_tokens`, the name that every server knows' },
  temperature: { fate: 'passed', note: '' },
  top_p: { fate: 'passed', note: '' },
  tools: { fate: 'translated', note: 'functions as they are, custom tools as functions with one string; hosted tools are refused' },
  tool_choice: { fate: 'translated', note: '`allowed_tools` by leaving out the others' },
  parallel_tool_calls: { fate: 'passed', note: '' },
  text: { fate: 'translated', note: '`response_format` and `verbosity`' },
  reasoning: { fate: 'translated', note: '`reasoning_effort`; the summary is what the provider tells of its reasoning' },
  top_logprobs: { fate: 'translated', note: '`logprobs` and `top_logprobs`' },
  user: { fate: 'passed', note: '' },
  safety_identifier: { fate: 'passed', note: '' },
  service_tier: { fate: 'passed', note: '', isNeutral: (value) => value === 'auto' },
  metadata: { fate: 'translated', note: 'repeated in the response' },
  previous_response_id: { fate: 'refused', note: STATELESS },
  conversation: { fate: 'refused', note: STATELESS },
  background: { fate: 'refused', note: STATELESS, isNeutral: isFalse },
  prompt: { fate: 'refused', note: 'prompt templates are kept by a provider that has the Responses API' },
  store: { fate: 'dropped', note: 'nothing is kept', isNeutral: isFalse },
  include: { fate: 'dropped', note: 'but for `message.output_text.logprobs`', isNeutral: (value) => Array.isArray(value) && value.every((each) => each === LOGPROBS) },
  truncation: { fate: 'dropped', note: 'a prompt that is too long is refused', isNeutral: (value) => value === 'disabled' },
  stream_options: { fate: 'dropped', note: 'nothing is obfuscated', isNeutral: (value) => (value as { include_obfuscation?: unknown }).include_obfuscation !== true },
  max_tool_calls: { fate: 'dropped', note: 'it counts hosted tools only' },
  prompt_cache_key: { fate: 'dropped', note: 'providers with only chat completions cache prompts by themselves' },
};

const LOGPROBS = 'message.output_text.logprobs';

/** The first thing in a request that has no counterpart in a chat completion; null when the whole can be translated. */
export function refusedInResponse(body: ResponsesBody): Untranslatable | null {
  const refused = refusedParam(responsesParams, body);
  if (refused) return refused;
  let first: Untranslatable | null = null;
  translate(body, (param, reason) => (first ??= { param, reason }));
  return first;
}

/** A request for a response as one for a chat completion. What `refusedInResponse` tells of is left out; never throws. */
export const chatBodyOf = (body: ResponsesBody): ChatBody => translate(body, () => {});

function translate(body: ResponsesBody, refuse: Refuse): ChatBody {
  const messages = messagesOf(body.input ?? [], refuse);
  if (messages.length === 0) refuse('input', 'it holds nothing that can be answered');
  if (typeof body.instructions === 'string') messages.unshift({ role: 'system', content: body.instructions });
  return {
    model: body.model,
    messages,
    ...given('stream', body.stream),
    ...given('temperature', body.temperature),
    ...given('top_p', body.top_p),
    ...given('max_tokens', body.max_output_tokens),
    ...toolsOf(body, refuse),
    ...given('response_format', formatOf(body.text?.format ?? null, refuse)),
    ...given('verbosity', body.text?.verbosity),
    ...given('reasoning_effort', body.reasoning?.effort),
    ...logprobs(body),
    ...given('user', body.user),
    ...given('safety_identifier', body.safety_identifier),
    ...given('service_tier', body.service_tier === 'auto' ? null : body.service_tier),
  };
}

const given = <N extends string, T>(name: N, value: T | null | undefined): { [K in N]?: T } => (value == null ? {} : ({ [name]: value } as { [K in N]?: T }));

function logprobs(body: ResponsesBody): { logprobs?: boolean; top_logprobs?: number } {
  const top = body.top_logprobs ?? 0;
  if (top === 0 && !body.include?.includes(LOGPROBS)) return {};
  return { logprobs: true, ...(top > 0 && { top_logprobs: top }) };
}

type Tool = NonNullable<ResponsesBody['tools']>[number];

function toolsOf(body: ResponsesBody, refuse: Refuse): Pick<ChatBody, 'tools' | 'tool_choice' | 'parallel_tool_calls'> {
  const tools = (body.tools ?? []).flatMap((tool, index) => functionOf(tool, `tools[${index}]`, refuse) ?? []);
  const choice = choiceOf(body.tool_choice ?? null, refuse);
  const offered = choice.only ? tools.filter((tool) => choice.only?.has(tool.function['name'])) : tools;
  if (offered.length === 0) return {};
  return { tools: offered, ...given('tool_choice', choice.choice), ...given('parallel_tool_calls', body.parallel_tool_calls) };
}

function functionOf(tool: Tool, at: string, refuse: Refuse): { type: string; function: Record<string, unknown> } | null {
  const { name, description, parameters, strict } = tool;
  if (tool.type === 'function') return { type: 'function', function: { name, ...given('description', description), ...given('parameters', parameters), ...given('strict', strict) } };
  if (tool.type !== 'custom') {
    refuse(`${at}.type`, `tools of type ${tool.type} run at a provider that has the Responses API`);
    return null;
  }
  if ((tool['format'] as { type?: unknown } | null | undefined)?.type === 'grammar') refuse(`${at}.format`, 'a chat completion’s functions follow no grammar');
  const input = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'], additionalProperties: false };
  return { type: 'function', function: { name, ...given('description', description), parameters: input } };
}

/** Which tools may be called; `only` when not all of them. */
function choiceOf(choice: ResponsesBody['tool_choice'], refuse: Refuse): { choice: string | Record<string, unknown> | null; only?: ReadonlySet<unknown> } {
  if (choice == null || typeof choice === 'string') return { choice: choice ?? null };
  if (choice.type === 'function' || choice.type === 'custom') return { choice: { type: 'function', function: { name: choice['name'] } } };
  if (choice.type === 'allowed_tools' && Array.isArray(choice['tools'])) {
    const mode = choice['mode'] === 'required' ? 'required' : 'auto';
    return { choice: mode, only: new Set(choice['tools'].map((tool: { name?: unknown } | null) => tool?.name)) };
  }
  refuse('tool_choice', `tools of type ${choice.type} run at a provider that has the Responses API`);
  return { choice: null };
}

function formatOf(format: { type: string; [field: string]: unknown } | null, refuse: Refuse): ChatBody['response_format'] {
  if (format === null || format.type === 'text') return null;
  if (format.type === 'json_object') return { type: 'json_object' };
  if (format.type !== 'json_schema') {
    refuse('text.format.type', `the format ${format.type} is not one of a chat completion's`);
    return null;
  }
  const { type: _type, ...schema } = format;
  return { type: 'json_schema', json_schema: schema };
}
