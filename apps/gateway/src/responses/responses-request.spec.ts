import { DejaError } from '@deja/contracts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { responsesRequest } from './responses-request.ts';

function refusal(body: unknown): { code: string; param: string | null; message: string } {
  try {
    parseOrRefuse(responsesRequest, body);
  } catch (error) {
    if (error instanceof DejaError) return { code: error.code, param: error.param, message: error.message };
    throw error;
  }
  throw new Error('was accepted');
}

test.each<[string, Record<string, unknown>]>([
  ['text', { input: 'Hi' }],
  ['an empty text', { input: '' }],
  ['a message without type', { input: [{ role: 'user', content: 'Hi' }] }],
  ['parts, calls, outputs and reasoning', {
    input: [
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }, { type: 'input_image', image_url: 'https://example.com/a.png', detail: 'auto' }] },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' },
      { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c1', output: [{ type: 'input_text', text: 'sunny' }] },
    ],
  }],
  ['a reference to an earlier item', { input: [{ id: 'msg_1' }] }],
  ['outputs of hosted calls, whatever their shape', { input: [{ type: 'computer_call_output', call_id: 'c1', output: { type: 'computer_screenshot', image_url: 'data:,' } }, { type: 'shell_call_output', call_id: 'c2', output: [{ stdout: '', stderr: '', outcome: { type: 'exit', exit_code: 0 } }] }] }],
  ['items of kinds nobody here knows', { input: [{ type: 'dreamt_call', dream: 1 }, { type: 'dreamt_call_output', output: { dream: 2 }, content: { text: 1 }, summary: 'short' }] }],
  ['no input after an earlier response', { previous_response_id: 'resp_1' }],
  ['hosted tools', { input: 'Hi', tools: [{ type: 'web_search' }, { type: 'mcp', server_label: 'a' }] }],
  ['fields nobody here knows', { input: 'Hi', context_management: [{ type: 'compaction' }] }],
  ['null where nothing is meant', { input: 'Hi', temperature: null, tools: null, reasoning: null, text: null, stream: null }],
])('is accepted and left as it is: %s', (_what, fields) => {
  const body = { model: 'gpt-5-mini', ...fields };
  expect(parseOrRefuse(responsesRequest, body)).toEqual(body);
});

test.each<[string, unknown]>([
  ['model', { input: 'Hi' }],
  ['input', { model: 'm' }],
  ['input[0].role', { model: 'm', input: [{ content: 'Hi' }] }],
  ['input[1].content', { model: 'm', input: [{ role: 'user', content: 'Hi' }, { role: 'user' }] }],
  ['input[0].content[1].text', { model: 'm', input: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }, { type: 'input_text' }] }] }],
  ['input[0].call_id', { model: 'm', input: [{ type: 'function_call', name: 'a', arguments: '{}' }] }],
  ['input[0].output', { model: 'm', input: [{ type: 'function_call_output', call_id: 'a' }] }],
  ['tools[0].name', { model: 'm', input: 'Hi', tools: [{ type: 'function' }] }],
  ['tools[1].type', { model: 'm', input: 'Hi', tools: [{ type: 'web_search' }, {}] }],
  ['text.format.name', { model: 'm', input: 'Hi', text: { format: { type: 'json_schema' } } }],
])('what is missing is named by its place: %s', (param, body) => {
  expect(refusal(body)).toMatchObject({ code: 'missing_required_parameter', param, message: `Missing required parameter: '${param}'.` });
});

test.each<[string, unknown]>([
  ['input', { model: 'm', input: 5 }],
  ['input', { model: 'm', input: [] }],
  ['input[0]', { model: 'm', input: ['Hi'] }],
  ['input[0].role', { model: 'm', input: [{ role: 'tool', content: 'Hi' }] }],
  ['input[0].content', { model: 'm', input: [{ role: 'user', content: 7 }] }],
  ['input[0].content[0].type', { model: 'm', input: [{ role: 'user', content: [{ type: '' }] }] }],
  ['input[0].arguments', { model: 'm', input: [{ type: 'function_call', call_id: 'c', name: 'a', arguments: {} }] }],
  ['input[0].output', { model: 'm', input: [{ type: 'function_call_output', call_id: 'a', output: { type: 'text' } }] }],
  ['input[0].content[0].text', { model: 'm', input: [{ type: 'reasoning', content: [{ type: 'reasoning_text', text: 1 }] }] }],
  ['input[0].summary', { model: 'm', input: [{ type: 'reasoning', summary: 'short' }] }],
  ['input[0].output[0].text', { model: 'm', input: [{ type: 'function_call_output', call_id: 'a', output: [{ type: 'input_text', text: 1 }] }] }],
  ['temperature', { model: 'm', input: 'Hi', temperature: 3 }],
  ['top_p', { model: 'm', input: 'Hi', top_p: -1 }],
  ['max_output_tokens', { model: 'm', input: 'Hi', max_output_tokens: 0 }],
  ['top_logprobs', { model: 'm', input: 'Hi', top_logprobs: 21 }],
  ['stream', { model: 'm', input: 'Hi', stream: 'yes' }],
  ['truncation', { model: 'm', input: 'Hi', truncation: 'some' }],
  ['tool_choice', { model: 'm', input: 'Hi', tool_choice: 1 }],
  ['reasoning.effort', { model: 'm', input: 'Hi', reasoning: { effort: 3 } }],
  ['metadata.a', { model: 'm', input: 'Hi', metadata: { a: 1 } }],
  ['include[0]', { model: 'm', input: 'Hi', include: [1] }],
])('what is wrong is named by its place: %s', (param, body) => {
  expect(refusal(body)).toMatchObject({ code: 'invalid_value', param, message: expect.stringContaining(`Invalid value for '${param}': `) });
});
