import type { ParamRule, ParamTable } from '../params.ts';
import { isTranslatable } from './content-blocks.ts';
import { fieldOf, isObject } from './messages-api.ts';

type Test = (value: unknown) => boolean;

const is =
  (...neutral: unknown[]): Test =>
  (value) =>
    neutral.includes(value);

const isEmpty: Test = (value) => (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0);

const passed = (note: string): ParamRule => ({ fate: 'passed', note });
const translated = (note: string): ParamRule => ({ fate: 'translated', note });
const dropped = (note: string, isNeutral?: Test): ParamRule => ({ fate: 'dropped', note, ...(isNeutral && { isNeutral }) });
/** Refused unless `honours` says that this value can be honoured, in Anthropic's words or because it asks for nothing. */
const refused = (note: string, honours: Test): ParamRule => ({ fate: 'refused', note, isNeutral: honours });

const never: Test = () => false;

const isText: Test = (text) => typeof text === 'string' && (text === '' || text.trim() !== '');

const eachMessage = (test: (part: unknown) => boolean) => (messages: unknown): boolean =>
  !Array.isArray(messages) || messages.every((message) => {
    const content = fieldOf(message, 'content');
    return !Array.isArray(content) || content.every(test);
  });

/** What becomes of each parameter at Anthropic. Source: API reference, "Messages", and "OpenAI SDK compatibility". */
export const params: ParamTable = {
  model: translated("the model's name at Anthropic"),
  messages: refused('`system`, `messages`; audio and uploaded files (`file_id`) cannot be sent to Anthropic', eachMessage(isTranslatable)),
  stream: passed('the same at Anthropic'),
  stream_options: translated('usage always comes with the stream'),
  max_tokens: translated("`max_tokens`, which Anthropic requires: else the model's ceiling, else 4096"),
  max_completion_tokens: translated('`max_tokens`'),
  temperature: refused(
    "passed up to 1, where Anthropic's range ends; higher values are refused; left out and listed where the model takes none (Opus 4.7 and later, and while thinking)",
    (value) => typeof value === 'number' && value <= 1,
  ),
  top_p: translated('`top_p`; left out and listed where the model takes none, or none beside `temperature`'),
  top_k: passed("Anthropic's own"),
  stop: refused('`stop_sequences`; one of white space only is refused, as Anthropic does', (value) => [value].flat().every(isText)),
  n: refused('Anthropic gives one answer a request', is(1)),
  seed: dropped('Anthropic has no seed'),
  presence_penalty: dropped('Anthropic has no penalties', is(0)),
  frequency_penalty: dropped('Anthropic has no penalties', is(0)),
  logprobs: refused('Anthropic gives no log probabilities', is(false)),
  top_logprobs: refused('Anthropic gives no log probabilities', is(0)),
  logit_bias: refused('Anthropic has no logit bias', isEmpty),
  tools: refused("`tools`; custom tools (free text) are refused, Anthropic's own pass", (value) => !Array.isArray(value) || !value.some((tool) => isObject(fieldOf(tool, 'custom')))),
  tool_choice: translated('`tool_choice`'),
  parallel_tool_calls: translated('`tool_choice.disable_parallel_tool_use`'),
  functions: translated('`tools`; the answer has `function_call`'),
  function_call: translated('`tool_choice`'),
  response_format: refused(
    '`json_schema`: `output_config.format`, else a forced tool where model or schema do not allow that, else an instruction; `json_object`: an instruction, as Anthropic has no such mode',
    (value) => is('text', 'json_object', 'json_schema')(fieldOf(value, 'type')),
  ),
  reasoning_effort: translated('`thinking` and `output_config.effort`, as the model takes them; left out and listed where the model cannot think, or not in this request'),
  thinking: passed("Anthropic's own; wins over `reasoning_effort`"),
  cache_control: passed("Anthropic's own, also on content parts, messages and tools"),
  user: translated('`metadata.user_id`, hashed when it looks like an e-mail address or a telephone number'),
  safety_identifier: translated('`metadata.user_id`'),
  metadata: dropped('Anthropic keeps none', isEmpty),
  store: dropped('Anthropic keeps no completions', is(false)),
  service_tier: translated("`default` is Anthropic's `standard_only`; left out and listed: `flex`, `priority`, `scale`"),
  modalities: refused('Anthropic answers in text', (value) => Array.isArray(value) && value.every((mode) => mode === 'text')),
  audio: refused('Anthropic does not speak', never),
  prediction: dropped('it only makes an answer faster'),
  web_search_options: refused("not translated; Anthropic's web search tool can be given in `tools`", never),
  prompt_cache_key: dropped('Anthropic finds its cache by the prompt; see `cache_control`'),
  prompt_cache_retention: dropped('see `cache_control`'),
  verbosity: dropped('Anthropic has none', is('medium')),
};
