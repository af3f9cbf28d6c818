import fc from 'fast-check';
import { parseChatRequest } from '../chat/chat-request.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { abilitiesOf, affinityKeyOf, requirementsOf } from './needs.ts';

const chat = (members: object) => parseChatRequest(parseJsonBody(Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...members }))));
const LONG = 2000;

test('a plain question needs no ability', () => {
  expect(abilitiesOf(chat({ tools: [], response_format: { type: 'text' } }))).toEqual([]);
});

test('tools, pictures, sound, schemas and reasoning are needs', () => {
  const content = [
    { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
    { type: 'input_audio', input_audio: { data: Buffer.alloc(64).toString('base64'), format: 'wav' } },
  ];
  const request = chat({
    messages: [{ role: 'user', content }],
    tools: [{ type: 'function', function: { name: 'f' } }],
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {} } },
    reasoning_effort: 'low',
  });
  expect(abilitiesOf(request).toSorted()).toEqual(['audio', 'json_schema', 'reasoning', 'tools', 'vision']);
  expect(abilitiesOf(chat({ reasoning_effort: 'none' }))).toEqual([]);
});

test('the turns of one conversation share their key; another beginning has another', () => {
  const system = { role: 'system', content: 'You are terse.' };
  const turns = [system, { role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }, { role: 'user', content: 'three' }];
  const [first, later] = [affinityKeyOf(chat({ messages: turns.slice(0, 2) }), LONG), affinityKeyOf(chat({ messages: turns }), LONG)];
  expect(first).toBe(later);
  expect(affinityKeyOf(chat({ messages: [system, { role: 'user', content: 'other' }] }), LONG)).not.toBe(first);
});

test('a key is short and says nothing of the prompt', () => {
  const content = 'secret '.repeat(5000);
  const key = affinityKeyOf(chat({ messages: [{ role: 'user', content }] }), LONG);
  expect(key).toMatch(/^[\w-]{43}$/);
});

test('a prompt that no provider would cache goes anywhere; the client’s own cache key goes before all', () => {
  expect(affinityKeyOf(chat({ prompt_cache_key: 'k' }), 1023)).toBeNull();
  const keyed = (content: string): string | null => affinityKeyOf(chat({ prompt_cache_key: 'k', messages: [{ role: 'user', content }] }), 1024);
  expect(keyed('one')).toBe(keyed('other'));
  expect(keyed('one')).not.toBe(affinityKeyOf(chat({ prompt_cache_key: 'other', messages: [{ role: 'user', content: 'one' }] }), 1024));
});

test('requirements name one region and tags', () => {
  expect(requirementsOf(undefined)).toBeUndefined();
  expect(requirementsOf('region=eu-west, tag=a,tag=b')).toEqual({ region: 'eu-west', tags: ['a', 'b'] });
});

test.each(['eu', 'region=', 'region=a,region=b', 'zone=a', 'tag=a=b', 'tag=ä', ',', Array(17).fill('tag=a').join()])('%j is refused, and the header named', (header) => {
  expect(() => requirementsOf(header)).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'x-deja-require' }));
});

test('whatever the header says, it is read or refused as a 400', () => {
  const outcome = (header: string): unknown => {
    try {
      return requirementsOf(header) === undefined ? 'nothing' : 'read';
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
  };
  fc.assert(fc.property(fc.string(), (header) => {
    expect(['nothing', 'read', 'invalid_value']).toContain(outcome(header));
  }));
});
