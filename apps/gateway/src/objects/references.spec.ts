import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { referencedIds } from './references.ts';

const named = (body: Record<string, unknown>): string[] => referencedIds(body).map(({ kind, id, path }) => `${kind} ${id} at ${path}`);

describe('the objects that a body names', () => {
  test('are found in a responses request, with where they stand', () => {
    expect(named({
      model: 'gpt-5',
      previous_response_id: 'resp_1',
      prompt_cache_options: { comparison_response_id: 'resp_0' },
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'file_id' }, { type: 'input_file', file_id: 'file-1' }, { type: 'input_image', file_id: 'file-2', detail: 'auto' }] },
        { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_file', file_id: 'file-3' }] },
        { type: 'computer_call_output', output: { type: 'computer_screenshot', file_id: 'file-4' } },
        { type: 'code_interpreter_call', id: 'ci_1', container_id: 'cntr_1', code: null },
      ],
      tools: [
        { type: 'code_interpreter', container: { type: 'auto', file_ids: ['file-5', 'file-6'] } },
        { type: 'code_interpreter', container: 'cntr_2' },
        { type: 'file_search', vector_store_ids: ['vs_1'] },
        { type: 'image_generation', input_image_mask: { file_id: 'file-7' } },
        { type: 'shell', environment: { type: 'container_auto', skills: [{ type: 'skill_reference', skill_id: 'skill_1' }] } },
      ],
      prompt: { id: 'pmpt_1', variables: { file_id: 'only text', scan: { type: 'input_file', file_id: 'file-8' } } },
    })).toEqual([
      'response resp_1 at previous_response_id',
      'response resp_0 at prompt_cache_options.comparison_response_id',
      'file file-1 at input[0].content[1].file_id',
      'file file-2 at input[0].content[2].file_id',
      'file file-3 at input[1].output[0].file_id',
      'file file-4 at input[2].output.file_id',
      'container cntr_1 at input[3].container_id',
      'file file-5 at tools[0].container.file_ids[0]',
      'file file-6 at tools[0].container.file_ids[1]',
      'container cntr_2 at tools[1].container',
      'vector_store vs_1 at tools[2].vector_store_ids[0]',
      'file file-7 at tools[3].input_image_mask.file_id',
      'skill skill_1 at tools[4].environment.skills[0].skill_id',
      'file file-8 at prompt.variables.scan.file_id',
    ]);
  });

  test.each<[Record<string, unknown>, string[]]>([
    [{ conversation: 'conv_1' }, ['conversation conv_1 at conversation']],
    [{ conversation: { id: 'conv_2' } }, ['conversation conv_2 at conversation.id']],
    [{ messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }, { type: 'image_file', image_file: { file_id: 'file-2' } }] }] }, ['file file-1 at messages[0].content[0].file.file_id', 'file file-2 at messages[0].content[1].image_file.file_id']],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }, { id: 'msg_2' }, { type: null, id: 'msg_3' }] }, ['item msg_1 at input[0].id', 'item msg_2 at input[1].id', 'item msg_3 at input[2].id']],
    [{ input: [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: null }, { type: 'image_generation_call', id: 'ig_1' }, { type: 'file_search_call', id: 'fs_1', queries: ['x'], results: null }] }, ['item rs_1 at input[0].id', 'item ig_1 at input[1].id', 'item fs_1 at input[2].id']],
    [{ messages: [{ role: 'user', content: 'Hi' }, { role: 'assistant', audio: { id: 'audio_1' } }] }, ['audio audio_1 at messages[1].audio.id']],
    [{ input_file_id: 'file-1', endpoint: '/v1/responses', completion_window: '24h' }, ['file file-1 at input_file_id']],
    [{ training_file: 'file-1', validation_file: 'file-2' }, ['file file-1 at training_file', 'file file-2 at validation_file']],
    [{ images: [{ file_id: 'file-1' }], mask: { file_id: 'file-2' } }, ['file file-1 at images[0].file_id', 'file file-2 at mask.file_id']],
    [{ messages: [], tool_resources: { file_search: { vector_store_ids: ['vs_1'] }, code_interpreter: { file_ids: ['file-1'] } } }, ['vector_store vs_1 at tool_resources.file_search.vector_store_ids[0]', 'file file-1 at tool_resources.code_interpreter.file_ids[0]']],
  ])('are found in %j', (body, references) => expect(named(body)).toEqual(references));

  test.each<[string, Record<string, unknown>]>([
    ['the client’s own metadata', { metadata: { file_id: 'file-1' } }],
    ['the schema of a function', { tools: [{ type: 'function', name: 'f', parameters: { type: 'object', properties: { file_id: { type: 'string' } }, examples: [{ file_id: 'file-1' }] } }] }],
    ['the schema of an answer', { response_format: { type: 'json_schema', json_schema: { schema: { default: { file_ids: ['file-1'] } } } }, text: { format: { type: 'json_schema', schema: { file_id: 'x' } } } }],
    ['what a model answered earlier', { input: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: '', annotations: [{ type: 'file_citation', file_id: 'file-1' }] }] }, { type: 'file_search_call', results: [{ file_id: 'file-2' }] }] }],
    ['items that stand there in full', { input: [
      { type: 'message', id: 'msg_1', role: 'assistant', content: [] }, { id: 'msg_2', role: 'assistant', content: 'Hi' }, { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' }, { type: 'reasoning', id: 'rs_2', summary: [], content: [{ type: 'reasoning_text', text: 'x' }] },
      { type: 'image_generation_call', id: 'ig_1', result: 'aGk=' }, { type: 'file_search_call', id: 'fs_1', results: [{ text: 'x' }] },
    ] }],
    ['reasoning of a translated response', { input: [{ type: 'reasoning', id: `rs_${'0a'.repeat(17)}`, summary: [] }] }],
    ['how an answer is to be spoken', { messages: [], audio: { id: 'x', voice: 'alloy' } }],
    ['an inline file', { messages: [{ role: 'user', content: [{ type: 'file', file: { file_data: 'data:…', filename: 'a' } }] }] }],
    ['nothing, said so', { previous_response_id: null, conversation: null, input: [{ content: [{ type: 'input_image', file_id: null, image_url: 'https://x.example' }] }], tools: [{ container: { type: 'auto', file_ids: [] } }] }],
    ['what is no text', { file_id: 1, file_ids: 'file-1', vector_store_ids: [{}], conversation: { id: {} } }],
    ['names of everything’s prototype', JSON.parse('{"constructor":"x","__proto__":"y","toString":["z"]}') as Record<string, unknown>],
  ])('are none in %s', (_, body) => expect(named(body)).toEqual([]));

  test('are found wherever a part that names one stands', () => {
    const tree = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof({ maxDepth: 6 }, fc.constantFrom('text', 1, null, true), fc.array(tie('node'), { maxLength: 3 }), fc.dictionary(fc.constantFrom('a', 'content', 'input', 'output', 'type'), tie('node'), { maxKeys: 3 })),
    })).node;
    fc.assert(fc.property(fc.dictionary(fc.constantFrom('messages', 'input', 'tools', 'other'), tree), (body) => {
      const ids: string[] = [];
      const plant = (value: unknown): void => {
        if (typeof value !== 'object' || value === null) return;
        for (const inner of Object.values(value)) plant(inner);
        if (!Array.isArray(value)) ids.push(((value as Record<string, unknown>)['file_id'] = `file-${ids.length}`));
      };
      plant(body);
      expect(referencedIds(body).map(({ id }) => id).sort()).toEqual(ids.sort());
    }));
  });

  test('are looked for to the depth that a body may have, and no deeper', () => {
    const nested = (depth: number): Record<string, unknown> => JSON.parse(`{"input":${'['.repeat(depth)}{"file_id":"file-1"}${']'.repeat(depth)}}`) as Record<string, unknown>;
    expect(referencedIds(nested(126))).toHaveLength(1);
    expect(() => referencedIds(nested(10_000))).toThrow(expect.objectContaining({ code: 'invalid_value' }));
  });

  test('are too many when there are more than 1,000', () => {
    const body = (count: number): Record<string, unknown> => ({ tools: [{ container: { file_ids: Array.from({ length: count }, (_, i) => `file-${i}`) } }] });
    expect(referencedIds(body(1000))).toHaveLength(1000);
    expect(() => referencedIds(body(1001))).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'tools[0].container.file_ids[1000]' }));
  });
});
