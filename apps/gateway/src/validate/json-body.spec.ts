import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJsonBody, withMembers } from './json-body.ts';

const parse = (text: string): ReturnType<typeof parseJsonBody> => parseJsonBody(Buffer.from(text));

describe('the request body', () => {
  test('what is not replaced stays byte for byte, with every digit', () => {
    const body = parse('{ "model" : "a", "seed": 9007199254740993123, "x":{"model":"inner"}, "t": 1.0 }');
    expect(withMembers(body, { model: '"b"' })).toBe('{ "model" :"b", "seed": 9007199254740993123, "x":{"model":"inner"}, "t": 1.0 }');
  });

  test('a repeated name reaches the provider once, with the value that was validated', () => {
    const body = parse('{"model":"cheap","a":1,"model":"dear","a":2}');
    expect(body.value['model']).toBe('dear');
    expect(withMembers(body, { model: '"x"' })).toBe('{"model":"x","a":2}');
  });

  test('a name repeated a hundred thousand times is no way to overflow the stack', () => {
    const body = parse(`{${'"a":1,'.repeat(200_000)}"a":2}`);
    expect(withMembers(body, {})).toBe('{"a":2}');
    expect(withMembers(body, { a: null })).toBe('{}');
  });

  test.each([
    ['{"a":1,"b":2,"c":3}', { a: null }, '{"b":2,"c":3}'],
    ['{"a":1,"b":2,"c":3}', { b: null }, '{"a":1,"c":3}'],
    ['{"a":1,"b":2,"c":3}', { c: null }, '{"a":1,"b":2}'],
    ['{"a":1,"b":2,"c":3}', { b: null, c: null }, '{"a":1}'],
    ['{ "a" : 1 }', { a: null }, '{ }'],
    ['{"a":1}', { a: null, b: '2' }, '{"b":2}'],
    ['{"a":1,"b":2,"a":3}', { a: null }, '{"b":2}'],
    ['{"a":1,"b":2,"b":3}', { b: null, a: '4' }, '{"a":4}'],
    ['{"a":1}', { b: null }, '{"a":1}'],
  ])('%s with %j is %s', (text, changes, expected) => {
    expect(withMembers(parse(text), changes)).toBe(expected);
  });

  test('a member named like an object’s own part changes nothing but what it stands in', () => {
    const body = parse('{"metadata":{"__proto__":{"planted":1}}}');
    expect(Object.keys(body.value['metadata'] as object)).toEqual(['__proto__']);
    expect(Reflect.get({}, 'planted')).toBeUndefined();
  });

  test.each(['', '[]', '"x"', 'null', '{', '{"a":1,}', '{"a":1}x', '\u{feff}{}'])('%j is refused as invalid_json', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'invalid_json' }));
  });

  test('bytes that are not UTF-8 are refused', () => {
    expect(() => parseJsonBody(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow(expect.objectContaining({ code: 'invalid_json' }));
  });

  test('a body nested absurdly deep is refused, not a stack overflow', () => {
    expect(() => parse(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)).toThrow(expect.objectContaining({ code: 'invalid_value' }));
  });

  test('the complaint about broken JSON never quotes the body', () => {
    expect(() => parse('{"password": hunter2}')).toThrow(expect.not.objectContaining({ message: expect.stringContaining('hunter2') }));
  });

  test('replacing members equals replacing them in the parsed value, for any object and any layout', () => {
    const layouts = [undefined, 1, '\t'];
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }), fc.constantFrom(...layouts), (value, replacement, layout) => {
        const body = parse(JSON.stringify(value, null, layout));
        const spliced = JSON.parse(withMembers(body, Object.fromEntries(Object.entries(replacement).map(([k, v]) => [k, JSON.stringify(v)])))) as unknown;
        expect(spliced).toEqual(JSON.parse(JSON.stringify({ ...value, ...replacement })));
      }),
    );
  });

  test('taking members out equals deleting them from the parsed value, for any object, any layout and any repetition', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', '"', '__proto__');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.jsonValue()), { maxLength: 8 }), fc.dictionary(name, fc.option(fc.jsonValue()), { maxKeys: 4 }), fc.constantFrom('', ' ', '\n\t'), (members, changes, space) => {
        const text = `{${space}${members.map(([key, value]) => `${JSON.stringify(key)}${space}:${space}${JSON.stringify(value)}`).join(`${space},${space}`)}${space}}`;
        const body = parse(text);
        const expected = new Map(Object.entries(body.value));
        for (const [key, value] of Object.entries(changes)) {
          if (value === null) expected.delete(key);
          else expected.set(key, value);
        }
        const spliced = withMembers(body, Object.fromEntries(Object.entries(changes).map(([key, value]) => [key, value === null ? null : JSON.stringify(value)])));
        expect(new Map(Object.entries(parse(spliced).value))).toEqual(new Map([...expected].map(([key, value]) => [key, JSON.parse(JSON.stringify(value)) as unknown])));
        expect([...parse(spliced).members.values()].every((list) => list.length === 1)).toBe(true);
      }),
    );
  });

  test.each([
    ['{"messages":[{"role":"user","content":"bad","content":"good"}]}', 'content'],
    ['{"a":{"b":[{"c":1,"d":2,"\\u0063":3}]}}', 'c'],
    ['{"a":{"__proto__":1,"__proto__":2}}', '__proto__'],
  ])('an inner object that names a member twice is refused: deja would judge one and a provider might read the other: %s', (text, name) => {
    expect(() => parseJsonBody(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'invalid_value', param: name }));
  });

  test('any JSON object without repetition is taken, whatever its strings hold', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(parseJsonBody(Buffer.from(JSON.stringify(value))).value).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
