import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import type { Caller } from './normalise.ts';

type Tool = OpenAI.Chat.ChatCompletionFunctionTool;

export const MODEL = 'gpt-4o-mini';
export const UNKNOWN_MODEL = 'no-such-model';

export async function all<T>(stream: AsyncIterable<T> | Promise<AsyncIterable<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of await stream) items.push(item);
  return items;
}

const user = (content: string | OpenAI.Chat.ChatCompletionContentPart[]): OpenAI.Chat.ChatCompletionMessageParam[] => [{ role: 'user', content }];
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const tool = (name: string): Tool => ({ type: 'function', function: { name, description: `Does ${name}.`, strict: true, parameters } });
const TOOLS = [tool('get_weather'), tool('get_time')];
const Answer = z.object({ city: z.string(), population: z.number() });
const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export async function chatCalls(client: OpenAI, call: Caller): Promise<void> {
  const chat = client.chat.completions;
  const ask = (content: string): { model: string; messages: OpenAI.Chat.ChatCompletionMessageParam[] } => ({ model: MODEL, messages: user(content) });
  await call('chat: whole', () => chat.create(ask('Node asks: name a river in Asia.')));
  await call('chat: streamed', () => all(chat.create({ ...ask('Node asks: tell me about mountains.'), stream: true })));
  await call('chat: streamed with usage', () => all(chat.create({ ...ask('Node asks: tell me about deserts.'), stream: true, stream_options: { include_usage: true } })));
  await call('chat: stream helper', () => chat.stream(ask('Node asks: what is a glacier?')).finalChatCompletion());
  await call('chat: a conversation with a system message', () =>
    chat.create({ model: MODEL, messages: [{ role: 'system', content: 'Be brief.' }, ...user('Node asks: what is bread?'), { role: 'assistant', content: 'Baked dough.' }, ...user('Node asks: and dough?')] }));
  await call('chat: a tool', () => chat.create({ ...ask('Node asks: use get_weather for Lyon.'), tools: TOOLS }));
  await call('chat: a tool, streamed', () => all(chat.create({ ...ask('Node asks: use get_weather for Oslo.'), tools: TOOLS, stream: true })));
  await call('chat: tools in parallel', () => chat.create({ ...ask('Node asks: use get_weather and get_time for Rome.'), tools: TOOLS, parallel_tool_calls: true }));
  await call('chat: a tool that must be called', () => chat.create({ ...ask('Node asks: how warm is it?'), tools: TOOLS, tool_choice: { type: 'function', function: { name: 'get_time' } } }));
  await call('chat: runTools', () => runTools(client));
  await call('chat: parse', () => chat.parse({ ...ask('Node asks: which city is largest?'), response_format: zodResponseFormat(Answer, 'answer') }));
  await call('chat: JSON', () => chat.create({ ...ask('Node asks: any JSON, please.'), response_format: { type: 'json_object' } }));
  await call('chat: logprobs', () => chat.create({ ...ask('Node asks: is water wet?'), logprobs: true, top_logprobs: 2 }));
  await call('chat: two choices', () => chat.create({ ...ask('Node asks: heads or tails?'), n: 2 }));
  await call('chat: two choices, streamed', () => all(chat.create({ ...ask('Node asks: odd or even?'), n: 2, stream: true })));
  await call('chat: stop', () => chat.create({ ...ask('Node asks: count to END and then on.'), stop: ['END'] }));
  await call('chat: max_completion_tokens, seed and temperature', () => chat.create({ ...ask('Node asks: a short word?'), max_completion_tokens: 50, seed: 7, temperature: 0 }));
  await call('chat: an unknown field', () => chat.create({ ...ask('Node asks: anything new?'), field_of_tomorrow: { deep: [1, 2] } } as OpenAI.Chat.ChatCompletionCreateParamsNonStreaming));
  await call('chat: a picture', () => chat.create({ model: MODEL, messages: user([{ type: 'text', text: 'Node asks: what is in it?' }, { type: 'image_url', image_url: { url: PIXEL, detail: 'low' } }]) }));
  await call('chat: left in the middle of a stream', () => leave(client));
  await call('chat: withResponse', () => chat.create(ask('Node asks: who are you?')).withResponse(), ({ data, response, request_id }) => ({
    data, status: response.status, type: response.headers.get('content-type')?.split(';')[0], has_request_id: typeof request_id === 'string' && request_id !== '',
  }));
}

async function runTools(client: OpenAI): Promise<unknown> {
  const seen: unknown[] = [];
  const runner = client.chat.completions.runTools({
    model: MODEL,
    messages: user('Node asks: run get_weather for Bern.'),
    tools: [{
      type: 'function',
      function: { name: 'get_weather', description: 'Weather of a city.', parameters, parse: JSON.parse, function: (args: object) => {
        seen.push(args);
        return 'Snow.';
      } },
    }],
  });
  return { final: await runner.finalContent(), seen };
}

async function leave(client: OpenAI): Promise<unknown> {
  const stream = await client.chat.completions.create({ model: MODEL, messages: user('Node asks: a long story, please, with many words in it.'), stream: true });
  let text = '';
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    if (text.split(' ').length > 3) break; // which aborts the request
  }
  return { text, aborted: stream.controller.signal.aborted };
}

/** What both sides must refuse with the same class and status. */
export async function refusedCalls(client: OpenAI, call: Caller): Promise<void> {
  const messages = user('Node asks: may I?');
  const stranger = client.withOptions({ apiKey: 'sk-invalid' });
  await call('refused: messages that are none', () => client.chat.completions.create({ model: MODEL, messages: 'Hello' as never }));
  await call('refused: a wrong key', () => stranger.chat.completions.create({ model: MODEL, messages }));
  await call('refused: a wrong key on the list of models', () => stranger.models.list());
  await call('refused: an unknown model', () => client.chat.completions.create({ model: UNKNOWN_MODEL, messages }));
  await call('refused: an unknown model, streamed', () => all(client.chat.completions.create({ model: UNKNOWN_MODEL, messages, stream: true })));
  await call('refused: an unknown path', () => client.get('/no/such/path'));
  await call('refused: an unknown response', () => client.responses.retrieve('resp_unknown'));
  await call('refused: an unknown previous response', () => client.responses.create({ model: MODEL, input: 'Node asks: go on.', previous_response_id: 'resp_unknown' }));
  await call('refused: an unknown file', () => client.files.retrieve('file-unknown'));
  await call('refused: a batch of an unknown file', () => client.batches.create({ input_file_id: 'file-unknown', endpoint: '/v1/chat/completions', completion_window: '24h' }));
}
