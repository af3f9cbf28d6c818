import { describe, expect, test } from '@jest/globals';
import { Inspector, safetyRules, safetySchema } from '@deja/content-safety';
import { DejaError, type Candidate, type ProviderKind } from '@deja/contracts';
import { recordedText, recordingNames } from '@deja/testing';
import fc from 'fast-check';
import { AttemptFailure } from './attempt/failure.ts';
import { CHAT } from './chat/chat.endpoint.ts';
import { COMPLETIONS } from './completions/completions.endpoint.ts';
import { SseParser, type SseEvent } from './dialects/sse.ts';
import { EMBEDDINGS } from './embeddings/embeddings.pipeline.ts';
import { AnswerRules } from './guard/answer-rules.ts';
import { MODERATIONS } from './moderations/moderations.endpoint.ts';
import { boundaryOf, MultipartScanner } from './passthrough/multipart.ts';
import type { ApiRequest, Endpoint, ExchangeContext } from './pipeline/endpoint.ts';
import { RESPONSES } from './responses/responses.endpoint.ts';
import { parseJsonBody } from './validate/json-body.ts';

/** The same every time, unless a longer search is asked for: FUZZ_SEED=7 FUZZ_TIMES=50, with --testTimeout. */
const TIMES = Number(process.env['FUZZ_TIMES'] ?? 1);
const runs = (numRuns: number): { seed: number; numRuns: number } => ({ seed: Number(process.env['FUZZ_SEED'] ?? 4), numRuns: numRuns * TIMES });

const candidate = (kind: ProviderKind, server: string | null, upstreamModel: string): Candidate => ({
  model: 'm',
  deployment: { id: 'p/m', provider: 'p', kind, baseUrl: 'https://provider.test/v1', apiVersion: null, server, upstreamModel, credentials: [], unavailableUntilMs: 0 },
  credential: null,
  upstreamModel,
});
const CANDIDATES = [
  candidate('openai', 'openai', 'gpt-4o-mini'), candidate('openai', 'mistral', 'mistral-small-latest'), candidate('openai', 'ollama', 'llama3'), candidate('openai', 'deepseek', 'deepseek-chat'), candidate('azure-openai', null, 'gpt-4o'),
  candidate('anthropic', null, 'claude-haiku-4-5'), candidate('anthropic', null, 'claude-opus-4-6'), candidate('gemini', null, 'gemini-2.5-flash'), candidate('gemini', null, 'gemini-3-pro-preview'),
];
const { rules } = safetyRules(safetySchema.parse({ deny: ['(?i)holiday'], secrets: 'redact', pii: 'redact' }));
const guard = new AnswerRules(new Inspector(rules), () => undefined);
const contextFor = (chosen: Candidate, guarded: boolean): ExchangeContext => ({ candidate: chosen, maxOutputTokens: null, createdS: 1_700_000_000, operationId: '01890000-0000-7000-8000-000000000000', promptTokens: 10, watched: guarded, rules: guarded ? guard : null });

type Asked = [endpoint: Endpoint, body: object];
const asked = <R extends ApiRequest>(endpoint: Endpoint<R>, body: object): Asked => [endpoint as unknown as Endpoint, { model: 'm', ...body }];
const CALL = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };
const SCHEMA = { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { anyOf: [{ type: 'null' }, { type: ['string', 'null'], enum: ['x', null] }] } }, required: ['a'], additionalProperties: false };
const PNG = 'data:image/png;base64,iVBORw0KGgo=';
/** Requests with nearly everything in them, so that a change of one place finds the code that reads it. */
const ASKED: Asked[] = [
  asked(CHAT, { messages: [{ role: 'user', content: 'Hi' }] }),
  asked(CHAT, {
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Brief.', cache_control: { type: 'ephemeral' } }] },
      { role: 'user', content: [{ type: 'text', text: 'See' }, { type: 'image_url', image_url: { url: PNG, detail: 'low' } }, { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] },
      { role: 'assistant', content: null, reasoning_content: 'hm', tool_calls: [CALL, { ...CALL, id: 'c2' }] },
      { role: 'tool', tool_call_id: 'c1', content: 'one' },
      { role: 'tool', tool_call_id: 'c2', content: [{ type: 'text', text: 'two' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'so' }, { type: 'refusal', refusal: 'no' }] },
      { role: 'user', content: [{ type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } }, { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] },
    ],
    tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: SCHEMA, strict: true } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
    parallel_tool_calls: false,
    stop: ['a'],
    max_completion_tokens: 50,
    temperature: 0.5,
    user: 'u',
  }),
  asked(CHAT, { messages: [{ role: 'developer', content: 'x' }, { role: 'user', content: 'Hi' }], response_format: { type: 'json_schema', json_schema: { name: 'n', schema: SCHEMA, strict: true } }, reasoning_effort: 'low', stream: true, stream_options: { include_usage: true }, seed: 1, top_p: 1, n: 1, metadata: { a: 'b' } }),
  asked(RESPONSES, {
    input: [
      { role: 'user', content: [{ type: 'input_text', text: 'Hi' }, { type: 'input_image', image_url: PNG }] },
      { type: 'reasoning', id: 'r', summary: [{ type: 'summary_text', text: 's' }], content: [{ type: 'reasoning_text', text: 't' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'o', annotations: [] }] },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: 'x' }] },
      { type: 'custom_tool_call', call_id: 'd', name: 'g', input: 'i' },
      { type: 'custom_tool_call_output', call_id: 'd', output: 'x' },
    ],
    instructions: 'i',
    tools: [{ type: 'function', name: 'f', parameters: SCHEMA, strict: true }, { type: 'custom', name: 'g', format: { type: 'text' } }],
    tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'f' }] },
    text: { format: { type: 'json_schema', name: 'n', schema: SCHEMA }, verbosity: 'low' },
    reasoning: { effort: 'low', summary: 'auto' },
    max_output_tokens: 50,
    stream: true,
    store: false,
  }),
  asked(RESPONSES, { input: 'Hi', text: { format: { type: 'json_object' } }, tool_choice: 'required', tools: [{ type: 'function', name: 'f' }] }),
  asked(COMPLETIONS, { prompt: ['a', 'b'], stream: true, stream_options: { include_usage: true }, logprobs: 1 }),
  asked(EMBEDDINGS, { input: ['a', 'b'], encoding_format: 'base64', dimensions: 2 }),
  asked(MODERATIONS, { input: [{ type: 'text', text: 'x' }] }),
];

/** Where a value is changed, chosen by number among all places, and to what; undefined takes it out. */
interface Change {
  place: number;
  to: unknown;
}
const odd = fc.oneof({ weight: 3, arbitrary: fc.constantFrom<unknown>(undefined, null, 0, -1, 1.5, 1e300, '', 'x', '\ud800', '\0', true, {}, [], [[]], [null], [{}], { type: 'x' }, { type: null }, 'text', 'stop', '__proto__') }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
/** One of these, told by its number where a property fails. */
const oneOf = <T>(list: readonly T[]): fc.Arbitrary<{ is: T }> => fc.nat(list.length - 1).map((i) => ({ is: list[i]!, [fc.toStringMethod]: () => `#${i}` }));
const change: fc.Arbitrary<Change> = fc.record({ place: fc.nat(1000), to: odd });

function changed(value: unknown, { place, to }: Change): unknown {
  const copy = structuredClone(value);
  const places: [parent: Record<string, unknown>, key: string][] = [];
  const walk = (at: unknown): void => {
    if (typeof at !== 'object' || at === null) return;
    for (const [key, inner] of Object.entries(at)) {
      places.push([at as Record<string, unknown>, key]);
      walk(inner);
    }
  };
  walk(copy);
  const [parent, key] = places[place % Math.max(1, places.length)] ?? [{}, ''];
  if (Array.isArray(parent) && to === undefined) parent.splice(Number(key), 1);
  else if (to === undefined) delete parent[key];
  else parent[key] = to;
  return copy;
}

/** What a step gives, or null for a refusal that has been thought of; anything else that is thrown fails the test. */
function orRefused<T>(step: () => T): T | null {
  try {
    return step();
  } catch (error) {
    if (error instanceof DejaError || error instanceof AttemptFailure) return null;
    throw error;
  }
}

const bodyOf = (value: unknown): ReturnType<typeof parseJsonBody> => parseJsonBody(Buffer.from(JSON.stringify(value)));

describe('whatever a client sends', () => {
  test('is refused in order, or asked of every kind of provider as JSON', () => {
    fc.assert(
      fc.property(oneOf(ASKED), fc.array(change, { maxLength: 2 }), oneOf(CANDIDATES), ({ is: [endpoint, body] }, changes, { is: chosen }) => {
        const request = orRefused(() => endpoint.parse(bodyOf(changes.reduce(changed, body as unknown))));
        if (request === null || orRefused(() => endpoint.unsuited(request, chosen)) !== null) return;
        const exchange = orRefused(() => endpoint.exchange(request, contextFor(chosen, false)));
        if (exchange === null) return;
        expect(typeof JSON.parse(exchange.body)).toBe('object');
        expect(new URL(exchange.url).origin).toBe('https://provider.test');
        expect(endpoint.eligibility(request, { byUser: false, flagged: false })).toBeDefined();
      }),
      runs(4000),
    );
  });
});

const WHOLE = recordingNames('*/*.json');
const STREAMS = recordingNames('*/*.chunks.jsonl');
/** Enough of each to tell it from the others; long texts make none odder. */
const MOST_CHARS = 20_000;
const MOST_EVENTS = 60;
const guarded = fc.boolean();

const texts = new Map([...WHOLE, ...STREAMS].map((name) => [name, recordedText(name)]));
const textOf = (name: string): string => texts.get(name) ?? '';

/** Which of these recordings is read: mostly one that this kind of provider made for this endpoint, now and then any. */
function recordingFor(names: string[], number: number, { deployment: { kind } }: Candidate, endpoint: Endpoint): string {
  const made = (name: string): boolean => {
    if (kind === 'anthropic') return name.startsWith('anthropic/');
    if (kind === 'gemini') return name.startsWith('google/');
    return textOf(name).includes(endpoint === RESPONSES ? '"response' : endpoint === COMPLETIONS ? 'text_completion' : endpoint === EMBEDDINGS ? 'embedding' : 'chat.completion');
  };
  const fitting = number % 8 === 0 ? names : names.filter(made);
  const among = fitting.length > 0 ? fitting : names;
  return among[number % among.length] ?? '';
}

describe('whatever a provider answers', () => {
  test('whole is an answer, or a failed attempt', () => {
    const replies = WHOLE.filter((name) => textOf(name).length < MOST_CHARS);
    fc.assert(
      fc.property(oneOf(ASKED), oneOf(CANDIDATES), fc.nat(1000), fc.array(change, { maxLength: 2 }), guarded, ({ is: [endpoint, body] }, { is: chosen }, number, changes, withRules) => {
        const request = endpoint.parse(bodyOf(body));
        const reply = JSON.parse(textOf(recordingFor(replies, number, chosen, endpoint))) as unknown;
        const read = orRefused(() => endpoint.exchange(request, contextFor(chosen, withRules)).whole(Buffer.from(JSON.stringify(changes.reduce(changed, reply)) ?? '')));
        if (read === null || read.blockedBy !== undefined) return;
        JSON.parse(read.body.toString());
        expect(typeof read.text).toBe('string');
        const again = read.storable && endpoint !== EMBEDDINGS ? [...endpoint.replay(read.body, request)] : [];
        expect(again.filter((event) => !event.endsWith('\n\n'))).toEqual([]);
      }),
      runs(3000),
    );
  });

  test('in a stream is a well-formed stream for the client, as far as it goes, or a failed attempt', () => {
    const event = fc.record({ at: fc.nat(1000), how: fc.constantFrom('change', 'change', 'drop', 'repeat', 'swap', 'cut'), change });
    fc.assert(
      fc.property(oneOf(ASKED.slice(0, 6)), oneOf(CANDIDATES), fc.nat(1000), fc.array(event, { maxLength: 3 }), guarded, ({ is: [endpoint, body] }, { is: chosen }, number, edits, withRules) => {
        const stream = textOf(recordingFor(STREAMS, number, chosen, endpoint)).split('\n').filter((line) => line.trim() !== '' && line.length < MOST_CHARS);
        const short = stream.length > MOST_EVENTS ? [...stream.slice(0, MOST_EVENTS - 10), ...stream.slice(-10)] : stream;
        const request = endpoint.parse(bodyOf({ ...body, stream: true }));
        const events = edits.reduce<string[]>((list, { at, how, change: edit }) => edited(list, at % Math.max(1, list.length), how, edit), short);
        const reader = orRefused(() => endpoint.exchange(request, contextFor(chosen, withRules)).stream());
        if (reader === null) return;
        let text = '';
        orRefused(() => {
          for (const data of [...events, '[DONE]']) {
            text += reader.push(typed(data)).text;
            if (reader.ended) return;
          }
          text += reader.finish().text;
        });
        for (const sent of new SseParser().push(Buffer.from(text))) expect(typeof JSON.parse(sent.data)).toBe('object');
        const { usage, producedChars } = reader;
        expect([usage === null || Number.isSafeInteger(usage.promptTokens), producedChars >= 0]).toEqual([true, true]);
        const kept = orRefused(() => reader.kept());
        const again = kept?.storable === true && reader.ended ? [...endpoint.replay(kept.body, request)] : [];
        expect(again.filter((event) => !event.endsWith('\n\n'))).toEqual([]);
      }),
      runs(2000),
    );
  });

  test('as a failure is classified, whatever its status and body', () => {
    fc.assert(
      fc.property(oneOf(CANDIDATES), fc.integer({ min: 300, max: 599 }), fc.oneof(fc.constantFrom(...WHOLE).map(textOf), fc.json(), fc.string()), fc.array(change, { maxLength: 2 }), ({ is: chosen }, status, body, changes) => {
        const { failure } = CHAT.exchange(CHAT.parse(bodyOf({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] })), contextFor(chosen, false));
        const value = orNull(() => JSON.parse(body) as unknown);
        expect(failure(status, { 'retry-after': '1' }, value === null ? body : (JSON.stringify(changes.reduce(changed, value)) ?? ''))).toBeInstanceOf(AttemptFailure);
      }),
      runs(1000),
    );
  });
});

function edited(list: string[], at: number, how: string, edit: Change): string[] {
  const before = list[at];
  if (before === undefined) return list;
  switch (how) {
    case 'drop': return list.toSpliced(at, 1);
    case 'repeat': return list.toSpliced(at, 0, before);
    case 'swap': return list.toSpliced(at, 2, list[at + 1] ?? before, before);
    case 'cut': return list.with(at, before.slice(0, before.length >> 1)).slice(0, at + 2);
    default: return list.with(at, JSON.stringify(changed(orNull(() => JSON.parse(before) as unknown), edit)));
  }
}

const orNull = <T>(step: () => T): T | null => {
  try {
    return step();
  } catch {
    return null; // no JSON: taken as it is
  }
};

/** As the providers that name their events name them. */
function typed(data: string): SseEvent {
  const type = orNull(() => (JSON.parse(data) as { type?: unknown } | null)?.type);
  return { event: typeof type === 'string' ? type : null, data };
}

describe('parsers of bytes', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 });
  const sse = fc.array(fc.constantFrom('data: ', 'data:', 'event: x', ':', '\n', '\r', '\r\n', '\n\n', 'é', '\u{feff}', 'a', 'id: 1', '\0'), { maxLength: 30 }).map((parts) => Buffer.from(parts.join('')));

  test('events are the same wherever the bytes are cut, and no bytes are too odd', () => {
    fc.assert(
      fc.property(sse, fc.array(fc.nat(60), { maxLength: 5 }), pieces, (bytes, cuts, noise) => {
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const parser = new SseParser();
        expect(at.slice(1).flatMap((end, i) => parser.push(bytes.subarray(at[i], end)))).toEqual(new SseParser().push(bytes));
        for (const piece of noise) parser.push(piece);
      }),
      runs(1000),
    );
  });

  test('a form is followed or refused, and without a rewrite goes out as it came in', () => {
    const part = fc.constantFrom('--B\r\n', '--B--', '--B--\r\n', '\r\n', 'content-disposition: form-data; name="a"\r\n\r\n', 'content-disposition: form-data; name="model"; filename="x"\r\n\r\n', 'x', 'é', '--', '\r', 'B', '\0', '"');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), fc.nat(20), (parts, cut) => {
        const bytes = Buffer.from(parts.join(''));
        const scanner = new MultipartScanner('B', { maxFieldBytes: 50, maxFieldsBytes: 100, maxParts: 3, maxHeaderBytes: 200 });
        const out = orRefused(() => [...scanner.push(bytes.subarray(0, cut)), ...scanner.push(bytes.subarray(cut)), ...scanner.end()]);
        expect(out === null || Buffer.concat(out).equals(bytes)).toBe(true);
      }),
      runs(1000),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (header) => expect([null, 'string']).toContainEqual(boundaryOf(header) === null ? null : typeof boundaryOf(header))), runs(1000));
  });

  test('a body is an object or refused, whatever its bytes', () => {
    fc.assert(fc.property(fc.oneof(fc.uint8Array().map((bytes) => Buffer.from(bytes)), fc.json().map((text) => Buffer.from(text))), (bytes) => void orRefused(() => parseJsonBody(bytes))), runs(1000));
  });
});
