import type OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import type { Caller } from './normalise.ts';
import { all, MODEL } from './openai-node-chat.ts';

const TOOL: OpenAI.Responses.FunctionTool = {
  type: 'function', name: 'get_weather', strict: true, parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
};

export async function responseCalls(client: OpenAI, call: Caller): Promise<void> {
  const { responses } = client;
  const made = await call('responses: whole', () => responses.create({ model: MODEL, input: 'Node asks: name a lake.', instructions: 'Be brief.', metadata: { team: 'maps' } }));
  const id = made?.id ?? 'resp_missing';
  await call('responses: streamed', () => all(responses.create({ model: MODEL, input: 'Node asks: name an island.', stream: true })));
  await call('responses: stream helper', () => responses.stream({ model: MODEL, input: 'Node asks: name a bay.' }).finalResponse());
  await call('responses: items as input', () => responses.create({ model: MODEL, input: [{ role: 'developer', content: 'Be brief.' }, { role: 'user', content: [{ type: 'input_text', text: 'Node asks: name a cape.' }] }] }));
  await call('responses: parse', () =>
    responses.parse({ model: MODEL, input: 'Node asks: a city as JSON.', text: { format: zodTextFormat(z.object({ city: z.string(), large: z.boolean() }), 'city') } }));
  await call('responses: a tool', () => responses.create({ model: MODEL, input: 'Node asks: use get_weather here.', tools: [TOOL] }));
  await call('responses: a tool, streamed', () => all(responses.create({ model: MODEL, input: 'Node asks: use get_weather there.', tools: [TOOL], stream: true })));
  await call('responses: what a tool said', () => responses.create({
    model: MODEL, tools: [TOOL],
    input: [
      { role: 'user', content: 'Node asks: use get_weather.' },
      { type: 'function_call', call_id: 'call_0', name: 'get_weather', arguments: '{"city":"Bonn"}' },
      { type: 'function_call_output', call_id: 'call_0', output: 'Rain.' },
    ],
  }));
  await call('responses: the next turn', () => responses.create({ model: MODEL, input: 'Node asks: and another lake?', previous_response_id: id }));
  await call('responses: retrieve', () => responses.retrieve(id));
  await call('responses: input items', () => responses.inputItems.list(id), ({ data }) => data);
  await call('responses: cancel what is done', () => responses.cancel(id));
  await call('responses: delete', () => responses.delete(id));
  await call('responses: retrieve what was deleted', () => responses.retrieve(id));
  const waiting = await call('responses: in the background', () => responses.create({ model: MODEL, input: 'Node asks: take your time.', background: true }));
  await call('responses: cancel', () => responses.cancel(waiting?.id ?? 'resp_missing'));
  await call('responses: not stored', () => responses.create({ model: MODEL, input: 'Node asks: forget this.', store: false }));
}

export async function textCalls(client: OpenAI, call: Caller): Promise<void> {
  const model = 'text-embedding-3-small';
  await call('embeddings: as the SDK asks', () => client.embeddings.create({ model, input: 'Node: a text' }));
  await call('embeddings: floats', () => client.embeddings.create({ model, input: 'Node: another text', encoding_format: 'float' }));
  await call('embeddings: base64', () => client.embeddings.create({ model, input: 'Node: a third text', encoding_format: 'base64' }));
  await call('embeddings: several, with dimensions', () => client.embeddings.create({ model, input: ['Node: one', 'Node: two', 'Node: one'], dimensions: 4 }));
  await call('embeddings: tokens', () => client.embeddings.create({ model, input: [[1, 2, 3], [4, 5]] }));
  const older = 'gpt-3.5-turbo-instruct';
  await call('completions: whole', () => client.completions.create({ model: older, prompt: 'Node says: once upon a time' }));
  await call('completions: streamed', () => all(client.completions.create({ model: older, prompt: 'Node says: twice upon a time', stream: true, stream_options: { include_usage: true } })));
  await call('completions: several prompts', () => client.completions.create({ model: older, prompt: ['Node says: a', 'Node says: b'], n: 2, echo: true }));
  await call('moderations: several texts', () => client.moderations.create({ model: 'omni-moderation-latest', input: ['Node: good', 'Node: violence-test'] }));
  await call('moderations: without a model', () => client.moderations.create({ input: 'Node: a harassment-test' }));
  // Who owns a name, and since when, is for each side to say.
  await call('models: list', () => all(client.models.list()), (models) => models.some(({ id, object }) => id === MODEL && object === 'model'));
  await call('models: retrieve', () => client.models.retrieve(MODEL), ({ id, object }) => ({ id, object }));
}
