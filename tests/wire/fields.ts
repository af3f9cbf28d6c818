import { bearer, GOOD_CHAT, JSON_TYPE, row, type BadInput, type Known } from './bad-input.ts';

/** A value of each JSON type, and of the strings and numbers those that fields often trip over. */
const VALUES = {
  boolean: true,
  number: 7,
  'negative number': -7,
  fraction: 0.3,
  'huge number': 1e300,
  string: 'x',
  'number in a string': '1',
  list: [1],
  'empty list': [],
  'list of strings': ['x'],
  object: { a: 1 },
  'empty object': {},
} as const;
type Type = keyof typeof VALUES;

/** What a field takes, by the kinds above. Everything else has to be refused by its name. */
const STRING: Type[] = ['string', 'number in a string'];
const LIST: Type[] = ['list', 'empty list', 'list of strings'];
const OBJECT: Type[] = ['object', 'empty object'];
const WHOLE: Type[] = ['number', 'huge number'];
const TEXTS: Type[] = [...STRING, 'list of strings', 'empty list'];
const BELOW_ONE: Type[] = ['fraction'];

type Fields = Record<string, readonly Type[]>;
const SAMPLING: Fields = { temperature: BELOW_ONE, top_p: BELOW_ONE };
const PENALTIES: Fields = { presence_penalty: BELOW_ONE, frequency_penalty: BELOW_ONE, logit_bias: OBJECT, seed: [...WHOLE, 'negative number'] };
const USERS: Fields = { user: STRING, safety_identifier: STRING };

/** By endpoint: a body that would be served, and what its fields take. */
const ENDPOINTS: Record<string, { body: object; fields: Fields }> = {
  'chat/completions': {
    body: GOOD_CHAT,
    fields: {
      model: STRING, messages: [], stream: ['boolean'], stream_options: OBJECT, ...SAMPLING, ...PENALTIES, n: ['number'], max_tokens: ['number'], max_completion_tokens: ['number'], stop: TEXTS, logprobs: ['boolean'], top_logprobs: ['number'],
      tools: ['empty list'], tool_choice: [...STRING, ...OBJECT], parallel_tool_calls: ['boolean'], response_format: [], metadata: OBJECT, store: ['boolean'], ...USERS,
    },
  },
  completions: {
    body: { model: 'known', prompt: 'Refused before it is asked.' },
    fields: { model: STRING, prompt: [...STRING, 'list', 'list of strings'], best_of: ['number'], echo: ['boolean'], ...SAMPLING, ...PENALTIES, logprobs: [], max_tokens: ['number'], n: ['number'], stop: TEXTS, stream: ['boolean'], stream_options: OBJECT, suffix: STRING, ...USERS },
  },
  responses: {
    body: { model: 'known', input: 'Refused before it is asked.' },
    fields: {
      model: STRING, input: STRING, instructions: STRING, stream: ['boolean'], stream_options: OBJECT, max_output_tokens: ['number'], ...SAMPLING, tools: ['empty list'], tool_choice: STRING, parallel_tool_calls: ['boolean'], text: OBJECT, reasoning: OBJECT,
      previous_response_id: STRING, conversation: STRING, prompt: [], store: ['boolean'], background: ['boolean'], metadata: ['empty object'], include: ['empty list', 'list of strings'], truncation: [], prompt_cache_key: STRING, top_logprobs: ['number'], service_tier: STRING, max_tool_calls: ['number', 'huge number'], ...USERS,
    },
  },
  embeddings: { body: { model: 'known', input: 'Refused before it is asked.' }, fields: { model: STRING, input: [...STRING, 'list', 'list of strings'], encoding_format: [], dimensions: ['number'], ...USERS } },
  moderations: { body: { model: 'known', input: 'Refused before it is asked.' }, fields: { model: STRING, input: [...STRING, 'list of strings'] } },
  'images/generations': { body: { model: 'known', prompt: 'Refused before it is asked.' }, fields: { model: STRING } },
  'audio/speech': { body: { model: 'known', input: 'Refused before it is asked.', voice: 'alloy' }, fields: { model: STRING } },
};

/** Members inside of messages, parts and items, each of a type it does not have. */
const INNER: [path: string, member: string, body: object, param: string][] = (['boolean', 'number', 'list', 'object'] as const).flatMap((type): [string, string, object, string][] => [
  ['chat/completions', `role: ${type}`, { ...GOOD_CHAT, messages: [{ role: VALUES[type], content: 'x' }] }, 'messages[0].role'],
  ['chat/completions', `name: ${type}`, { ...GOOD_CHAT, messages: [{ role: 'user', content: 'x', name: VALUES[type] }] }, 'messages[0].name'],
  ['chat/completions', `tool_call_id: ${type}`, { ...GOOD_CHAT, messages: [{ role: 'tool', content: 'x', tool_call_id: VALUES[type] }] }, 'messages[0].tool_call_id'],
  ['chat/completions', `a part’s type: ${type}`, { ...GOOD_CHAT, messages: [{ role: 'user', content: [{ type: VALUES[type], text: 'x' }] }] }, 'messages[0].content'],
  ['chat/completions', `a part’s text: ${type}`, { ...GOOD_CHAT, messages: [{ role: 'user', content: [{ type: 'text', text: VALUES[type] }] }] }, 'messages[0].content[0].text'],
  ['chat/completions', `a tool’s type: ${type}`, { ...GOOD_CHAT, tools: [{ type: VALUES[type] }] }, 'tools[0].type'],
  ['chat/completions', `response_format.type: ${type}`, { ...GOOD_CHAT, response_format: { type: VALUES[type] } }, 'response_format.type'],
  ['responses', `an item’s type: ${type}`, { model: 'known', input: [{ type: VALUES[type], role: 'user', content: 'x' }] }, 'input[0].type'],
  ['responses', `an item’s role: ${type}`, { model: 'known', input: [{ role: VALUES[type], content: 'x' }] }, 'input[0].role'],
  ['responses', `a call’s arguments: ${type}`, { model: 'known', input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: VALUES[type] }] }, 'input[0].arguments'],
  ['responses', `a tool’s name: ${type}`, { model: 'known', input: 'x', tools: [{ type: 'function', name: VALUES[type] }] }, 'tools[0].name'],
  ['responses', `a format’s name: ${type}`, { model: 'known', input: 'x', text: { format: { type: 'json_schema', name: VALUES[type] } } }, 'text.format.name'],
]);

/** Every known field with every type that it does not have, at every endpoint. */
export function wrongTypes({ key }: Known): BadInput[] {
  const headers = [bearer(key), JSON_TYPE];
  const sent = (path: string, name: string, body: object, param: string): BadInput => row(`${path}: ${name}`, { target: `/v1/${path}`, headers, body: JSON.stringify(body) }, { status: 400, code: 'invalid_value', param });
  const wrong = Object.entries(ENDPOINTS).flatMap(([path, { body, fields }]) =>
    Object.entries(fields).flatMap(([field, takes]) => (Object.keys(VALUES) as Type[]).filter((type) => !takes.includes(type)).map((type) => ({ path, field, type, body: { ...body, [field]: VALUES[type] } }))),
  );
  return [
    ...wrong.map(({ path, field, type, body }) => {
      const made = sent(path, `${field}: ${type}`, body, field);
      // A list or an object may be refused for what is in it, by its place: the name of the field only begins it.
      return LIST.includes(type) || OBJECT.includes(type) ? { ...made, inside: true, code: ['invalid_value', 'missing_required_parameter'] } : made;
    }),
    ...INNER.map(([path, name, body, param]) => sent(path, name, body, param)),
  ];
}
