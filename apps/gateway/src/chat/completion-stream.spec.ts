import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SSE_DONE, SseParser } from '../dialects/sse.ts';
import { streamOf } from '../reply/replay.ts';
import { asCompletion, isStorable, usageOf, type ChatCompletion } from './completion.ts';
import { CompletionAssembler } from './completion-stream.ts';

function assemble(chunks: unknown[]): CompletionAssembler {
  const assembler = new CompletionAssembler();
  for (const chunk of chunks) assembler.add(chunk);
  return assembler;
}

function replay(completion: ChatCompletion, includeUsage: boolean): unknown[] {
  const events = new SseParser().push(Buffer.from([...streamOf(completion, includeUsage)].join('')));
  expect(events.at(-1)?.data).toBe(SSE_DONE);
  return events.slice(0, -1).map((event) => JSON.parse(event.data) as unknown);
}

const call = fc.record({ id: fc.string({ minLength: 1 }), type: fc.constant('function'), function: fc.record({ name: fc.string({ minLength: 1 }), arguments: fc.string() }) });
const completions = fc.record({
  id: fc.string({ minLength: 1 }),
  object: fc.constant('chat.completion'),
  created: fc.nat(),
  model: fc.string({ minLength: 1 }),
  choices: fc
    .array(fc.record({ content: fc.oneof(fc.constant(null), fc.string({ unit: 'binary', maxLength: 2000 })), calls: fc.option(fc.array(call, { minLength: 1, maxLength: 3 }), { nil: undefined }), finish: fc.constantFrom('stop', 'length', 'tool_calls') }), { minLength: 1, maxLength: 3 })
    .map((choices) =>
      choices.map(({ content, calls, finish }, index) => ({ index, message: { role: 'assistant', content, ...(calls && { tool_calls: calls }) }, finish_reason: finish })),
    ),
  usage: fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat(), total_tokens: fc.nat() }),
});

/** What the chunks of one choice put together are, said simply. */
function merged(target: Record<string, unknown>, delta: Record<string, unknown>): Record<string, unknown> {
  const known = Object.entries(delta).filter(([, value]) => value !== null && value !== undefined);
  return known.reduce((sum, [name, value]) => {
    const before = sum[name];
    const grows = typeof value === 'string' && typeof before === 'string' && !['role', 'type', 'id', 'finish_reason', 'index'].includes(name);
    const isObject = typeof value === 'object' && !Array.isArray(value);
    const object = typeof before === 'object' && before !== null ? before : {};
    return { ...sum, [name]: grows ? before + value : isObject ? merged({ ...object }, value as Record<string, unknown>) : value };
  }, target);
}

const member = fc.oneof(fc.constantFrom('content', 'refusal', 'reasoning_content', 'role', 'id', 'type', 'x'), fc.string({ maxLength: 3 }).map((name) => `-${name}`));
const scalar = fc.oneof(fc.string({ maxLength: 5 }), fc.integer(), fc.boolean(), fc.constant(null));
const fields = fc.dictionary(member, scalar, { maxKeys: 5 });
const streamed = fc.array(
  fc.record({ choices: fc.tuple(fc.record({ index: fc.constant(0), delta: fc.oneof(fields, fc.record({ audio: fields })), finish_reason: fc.constantFrom(null, 'stop'), logprobs: fc.option(fields) })), model: fc.constantFrom('', 'm', null), more: scalar }),
  { minLength: 1, maxLength: 8 },
);

describe('whole and streamed answers', () => {
  test('every member of every chunk has its place in the whole, known or not', () => {
    fc.assert(
      fc.property(streamed, (chunks) => {
        const { choices: [choice], object: _object, ...head } = assemble(chunks).completion();
        const last = (pick: (chunk: (typeof chunks)[number]) => unknown): unknown => chunks.map(pick).findLast((value) => value !== null && value !== '') ?? null;
        expect({ model: head.model ?? null, more: head['more'] ?? null }).toEqual({ model: last(({ model }) => model), more: last(({ more }) => more) });
        const whole = chunks.map(({ choices }) => choices[0]).reduce<Record<string, unknown>>((sum, { logprobs, finish_reason: finish, delta }) => ({
          ...merged(sum, { logprobs }), finish_reason: finish ?? sum['finish_reason'], message: merged(sum['message'] as Record<string, unknown>, delta),
        }), { index: 0, message: { role: 'assistant', content: null }, finish_reason: null });
        expect(choice).toEqual(whole);
      }),
    );
  });

  test('a member named like a prototype changes none', () => {
    const assembler = assemble([JSON.parse('{"choices":[{"index":0,"__proto__":{"a":1},"delta":{"__proto__":{"b":1},"content":"x"}}],"__proto__":{"c":1}}')]);
    expect(JSON.stringify(assembler.completion())).toBe('{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":null}]}');
    expect(Object.getPrototypeOf(assembler.reported)).toBe(Object.prototype);
  });

  test('an answer replayed as a stream and put together again is the same answer', () => {
    fc.assert(
      fc.property(completions, (completion) => {
        expect(assemble(replay(completion as ChatCompletion, true)).completion()).toEqual(completion);
      }),
    );
  });

  test('usage is in the stream only for those who asked', () => {
    const completion = { choices: [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }], usage: { prompt_tokens: 1 } } as ChatCompletion;
    expect(JSON.stringify(replay(completion, false))).not.toContain('usage');
    expect(replay(completion, true).at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 1 } });
  });

  test('arguments of parallel tool calls are put together by their index', () => {
    const delta = (index: number, fields: object): unknown => ({ choices: [{ index: 0, delta: { tool_calls: [{ index, ...fields }] } }] });
    const { choices } = assemble([
      delta(0, { id: 'a', type: 'function', function: { name: 'f', arguments: '' } }),
      delta(1, { id: 'b', type: 'function', function: { name: 'g', arguments: '{"y"' } }),
      delta(0, { function: { arguments: '{"x":' } }),
      delta(1, { function: { arguments: ':2}' } }),
      delta(0, { function: { arguments: '1}' } }),
    ]).completion();
    expect(choices[0]?.message['tool_calls']).toEqual([
      { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
      { id: 'b', type: 'function', function: { name: 'g', arguments: '{"y":2}' } },
    ]);
  });

  test.each([[{ error: { message: 'x' } }], [null], ['text'], [{ id: 'no choices' }]])('%j in a stream is an error, not an answer', (chunk) => {
    expect(new CompletionAssembler().add(chunk)).toBe('error');
  });

  test('a key that would reach the prototype is dropped', () => {
    assemble([JSON.parse('{"choices":[{"index":0,"delta":{"__proto__":{"polluted":true}}}]}')]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('usage as the provider says it', () => {
  test('is counted with its details', () => {
    expect(usageOf({ prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 2 } })).toEqual({ promptTokens: 10, cachedTokens: 4, cacheWriteTokens: 0, completionTokens: 5, reasoningTokens: 2 });
  });

  test('more cached tokens than there are is not believed', () => {
    expect(usageOf({ prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 400 } })?.cachedTokens).toBe(10);
  });

  test.each([{}, { prompt_tokens: -1 }, { prompt_tokens: 1e300 }, { prompt_tokens: 1, completion_tokens: 2 ** 53 }, { prompt_tokens: 1, completion_tokens: -5 }, { prompt_tokens: '7' as unknown as number }, { prompt_tokens: Number.NaN }])('%j is not worth believing: the bill is estimated instead', (usage) => {
    expect(usageOf(usage)).toBeNull();
  });
});

describe('what may be kept', () => {
  const choice = (finish: string | null, message: object = { content: 'x' }): ChatCompletion => ({ choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finish }] });

  test.each([
    [choice('stop'), true],
    [choice('length'), true],
    [choice('content_filter'), false],
    [choice(null), false],
    [choice('stop', { content: null, refusal: 'no' }), false],
  ])('%j: %s', (completion, storable) => {
    expect(isStorable(completion)).toBe(storable);
  });

  test.each([null, [], {}, { choices: [] }, { choices: [{}] }, { choices: 'x' }])('%j is no completion', (value) => {
    expect(asCompletion(value)).toBeNull();
  });
});
