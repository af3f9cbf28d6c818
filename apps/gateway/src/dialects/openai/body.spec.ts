import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJsonBody, type JsonBody } from '../../validate/json-body.ts';
import { openAiBody, type OpenAiBodyOptions } from './body.ts';
import { COMPATIBLE_SERVERS, paramsOf, serverOf, type CompatibleServer } from './compatible-servers.ts';
import { withoutDeveloperRole } from './developer-role.ts';

const named = (server: string): CompatibleServer => serverOf({ kind: 'openai', baseUrl: 'https://x.example', server });
const parse = (text: string): JsonBody => parseJsonBody(Buffer.from(text));
const sent = (text: string, options: Partial<OpenAiBodyOptions> = {}): string =>
  openAiBody(parse(text), { upstreamModel: 'm', stream: false, includeUsage: false, server: named('openai'), endpoint: 'chat/completions', ...options }).text;

describe('the body that reaches an OpenAI-compatible server', () => {
  test('is the client’s own where nothing must change', () => {
    const text = '{ "model" : "m",\n"seed":12345678901234567890, "t":1.0, "x":[1e400,"\\u0041"] }';
    for (const server of ['openai', 'azure-openai', 'openrouter', 'generic']) expect(sent(text, { server: named(server) })).toBe(text);
  });

  test('carries the name the provider knows the model by', () => {
    expect(sent('{"model":"fast","messages":[]}', { upstreamModel: 'gpt-4o"mini' })).toBe('{"model":"gpt-4o\\"mini","messages":[]}');
    expect(sent('{"input":"x"}', { endpoint: 'moderations' })).toBe('{"input":"x","model":"m"}');
  });

  test.each([
    ['{"model":"m"}', '{"model":"m","stream_options":{"include_usage":true}}'],
    ['{"model":"m","stream_options":null}', '{"model":"m","stream_options":{"include_usage":true}}'],
    ['{"model":"m","stream_options":{}}', '{"model":"m","stream_options":{"include_usage":true}}'],
    ['{"model":"m","stream_options":{ "x" : 12345678901234567890, "include_usage":false }}', '{"model":"m","stream_options":{ "x" : 12345678901234567890, "include_usage":true}}'],
  ])('asks for usage in every stream: %s', (text, expected) => {
    expect(sent(text, { stream: true })).toBe(expected);
    expect(sent(text, { stream: true, endpoint: 'completions' })).toBe(expected);
  });

  test('asks for no usage where there is none to be asked for', () => {
    const asked = '{"model":"m","stream_options":{"include_usage":true,"y":1}}';
    expect(sent(asked, { stream: true, includeUsage: true })).toBe(asked);
    expect(sent('{"model":"m"}', { stream: true, endpoint: 'responses' })).toBe('{"model":"m"}');
    expect(sent(asked, { stream: true, includeUsage: true, server: named('mistral') })).toBe('{"model":"m"}');
    expect(sent('{"model":"m"}', { stream: true, server: named('fireworks') })).toBe('{"model":"m"}');
  });

  test('leaves a stream_options that is none for the server to refuse', () => {
    for (const text of ['{"model":"m","stream_options":[]}', '{"model":"m","stream_options":"x"}']) expect(sent(text, { stream: true, endpoint: 'completions' })).toBe(text);
  });

  test('renames a parameter with every digit of its value, and lets it win over one of that name', () => {
    const server = named('mistral');
    expect(sent('{"model":"m","seed": 12345678901234567890 ,"a":1}', { server })).toBe('{"model":"m","a":1,"random_seed":12345678901234567890}');
    expect(sent('{"model":"m","max_tokens":1,"max_completion_tokens":2}', { server })).toBe('{"model":"m","max_tokens":2}');
    expect(sent('{"model":"m","max_tokens":1,"max_completion_tokens":null}', { server })).toBe('{"model":"m","max_tokens":1}');
  });

  test('says system in place of developer only where developer is not known, in chats and in responses', () => {
    const chat = '{"model":"m","messages":[{"role":"developer","content":"developer","z":12345678901234567890},{"role":"user","content":[{"role":"developer"}]}]}';
    expect(sent(chat)).toBe(chat);
    expect(sent(chat, { server: named('deepseek') })).toBe(chat.replace('"developer"', '"system"'));
    const input = '{"model":"m","input":[{"role":"developer","content":"x"}]}';
    expect(sent(input, { endpoint: 'responses', server: named('fireworks') })).toBe(input.replace('developer', 'system'));
    expect(sent('{"model":"m","input":"developer"}', { endpoint: 'responses', server: named('fireworks') })).toBe('{"model":"m","input":"developer"}');
  });
});

/** JSON text of any value, with numbers no double can hold. */
const json: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false', '1.0', '-0.0', '1E+2', '0', '1', '[]', '{}', '{ "include_usage" : false }'),
    fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => `[ ${items.join(' , ')}]`),
    fc.array(fc.tuple(fc.string({ maxLength: 3 }), tie('value')), { maxLength: 3 }).map((items) => `{${items.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')} }`),
  ),
})).value;

const OPENAI_NAMES = ['model', 'stream_options', 'messages', 'input', 'seed', 'max_tokens', 'max_completion_tokens', 'n', 'logprobs', 'logit_bias', 'store', 'user', 'metadata', 'verbosity', 'presence_penalty', 'dimensions'];
const members = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...OPENAI_NAMES), fc.constantFrom('__proto__', 'constructor'), fc.string()), json), { maxLength: 12 });

/** What the members should be, worked out on parsed values: name → JSON value, and which of them are not the client's own. */
function intended(body: JsonBody, o: OpenAiBodyOptions): { values: Map<string, unknown>; touched: Set<string> } {
  const values = new Map(Object.entries(body.value));
  const touched = new Set(['model']);
  values.set('model', o.upstreamModel);
  for (const [name, rule] of Object.entries(paramsOf(o.server, o.endpoint))) {
    if (!Object.hasOwn(body.value, name)) continue;
    const value = body.value[name];
    const idle = value === null || (rule.isNeutral?.(value) ?? false);
    if (!idle && rule.to !== undefined) values.set(rule.to, value);
    if (!idle && rule.to !== undefined) touched.add(rule.to);
    if (idle || rule.fate === 'dropped' || rule.to !== undefined) values.delete(name);
  }
  const options = body.value['stream_options'];
  if (['chat/completions', 'completions'].includes(o.endpoint)) {
    if (o.server.usageInStreams === 'unasked') values.delete('stream_options');
    else if (o.stream && !o.includeUsage && (options == null || (typeof options === 'object' && !Array.isArray(options)))) {
      values.set('stream_options', { ...options, include_usage: true });
      touched.add('stream_options');
    }
  }
  return { values, touched };
}

function memberText(body: JsonBody, name: string): string | undefined {
  const member = body.members.get(name)?.at(-1);
  return member && body.text.slice(member.start, member.end).trim();
}

/** Inner objects that name a member twice never get so far. */
function unambiguous(text: string): JsonBody {
  try {
    return parse(text);
  } catch {
    fc.pre(false);
    throw new Error('not reached');
  }
}

describe('for any body, any server and any endpoint', () => {
  const options = fc.record({
    upstreamModel: fc.string(),
    stream: fc.boolean(),
    includeUsage: fc.boolean(),
    server: fc.constantFrom(...COMPATIBLE_SERVERS),
    endpoint: fc.constantFrom('chat/completions', 'completions', 'embeddings', 'responses'),
  });

  test('exactly the intended members are there, and what was not to change survives byte for byte', () => {
    fc.assert(
      fc.property(members, fc.constantFrom('', ' ', '\n\t'), options, (list, space, o) => {
        const body = unambiguous(`{${list.map(([name, value]) => `${space}${JSON.stringify(name)}${space}:${space}${value}${space}`).join(',')}}`);
        const result = parse(openAiBody(body, o).text);
        const { values, touched } = intended(body, o);
        expect(new Map(Object.entries(result.value))).toEqual(values);
        expect(result.members.size).toBe(values.size);
        expect([...result.members.values()].every((same) => same.length === 1)).toBe(true);
        const own = [...result.members.keys()].filter((name) => !touched.has(name));
        expect(own.map((name) => memberText(result, name))).toEqual(own.map((name) => memberText(body, name)));
      }),
      { numRuns: 400 },
    );
  });

  test('a role is changed where it stands, and nothing else of a message', () => {
    const role = fc.constantFrom('"developer"', '"d\\u0065veloper"', '"user"', '"system"');
    const message = fc.record({ before: fc.array(fc.tuple(fc.constantFrom('content', 'roles', 'x'), json), { maxLength: 2 }), name: fc.constantFrom('"role"', '"r\\u006fle"'), role, after: json });
    const text = (list: { before: [string, string][]; name: string; role: string; after: string }[], as: (role: string) => string): string =>
      `[ ${list.map((m) => `{${m.before.map(([name, value]) => `"${name}": ${value},`).join('')}${m.name} :${as(m.role)} , "z":${m.after}}`).join(' ,')}]`;
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), (list) => {
        const asSystem = (value: string): string => (JSON.parse(value) === 'developer' ? '"system"' : value);
        expect(withoutDeveloperRole(text(list, (value) => value))).toBe(text(list, asSystem));
      }),
    );
  });
});
