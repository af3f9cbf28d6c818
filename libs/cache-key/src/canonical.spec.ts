import fc from 'fast-check';
import { canonicalRequest, type ParsedBody } from './canonical.ts';
import { canonicalDecimal } from './decimal.ts';

const body = (text: string): ParsedBody => ({ text, value: JSON.parse(text) as Record<string, unknown> });
const canonical = (text: string): string => canonicalRequest(body(text)).whole;

/** JSON values with their numbers as text, so that a property can spell them. */
type Spelled = { number: string } | string | boolean | null | Spelled[] | { members: [string, Spelled][] };

const decimalText = fc.oneof(
  fc.integer().map(String),
  fc.bigInt().map(String),
  fc.tuple(fc.bigInt(), fc.stringMatching(/^\d{1,30}$/)).map(([whole, fraction]) => `${whole}.${fraction}`),
);
const spelled = fc.letrec<{ value: Spelled }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    decimalText.map((number) => ({ number })),
    fc.string({ unit: 'binary' }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.uniqueArray(fc.tuple(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'user', '1', '10', '9')), tie('value')), { selector: ([key]) => key, maxLength: 5 }).map((members) => ({ members })),
  ),
})).value;
const spelledObject = fc.uniqueArray(fc.tuple(fc.string(), spelled), { selector: ([key]) => key, maxLength: 6 }).map((members) => ({ members }));

/** Writes a value as JSON with members in another order, other white space and other spellings of the same numbers. */
function write(value: Spelled, choose: () => number): string {
  const space = (): string => ['', ' ', '\n', '\t  ', '\r\n'][choose() % 5]!;
  if (Array.isArray(value)) return `${space()}[${value.map((item) => write(item, choose)).join(',')}${space()}]${space()}`;
  if (value === null || typeof value !== 'object') return `${space()}${JSON.stringify(value)}${space()}`;
  if ('number' in value) return `${space()}${respell(value.number, choose)}${space()}`;
  const members = value.members.map((member) => ({ member, rank: choose() })).sort((a, b) => a.rank - b.rank);
  return `${space()}{${members.map(({ member: [key, item] }) => `${space()}${JSON.stringify(key)}${space()}:${write(item, choose)}`).join(',')}${space()}}${space()}`;
}

function respell(number: string, choose: () => number): string {
  const [whole = '', fraction = ''] = number.split('.');
  const shift = choose() % 4;
  switch (choose() % 5) {
    case 0: return number;
    case 1: return `${whole}.${fraction}${'0'.repeat(shift + (fraction === '' ? 1 : 0))}`;
    case 2: return `${number}e0`;
    case 3: return `${number}E-0`;
    default: return `${whole}${fraction.padEnd(shift, '0').slice(0, shift)}.${fraction.slice(shift)}0e-${shift}`.replace(/^(-?)0+(?=\d)/, '$1');
  }
}

const plain = (value: Spelled): string => write(value, () => 0);
const choices = fc.infiniteStream(fc.nat(1000));

test('key order, white space and number spelling never change the canonical form', () => {
  fc.assert(
    fc.property(spelledObject, choices, (value, stream) => {
      const choose = (): number => stream.next().value as number;
      expect(canonical(write(value, choose))).toBe(canonical(plain(value)));
    }),
    { numRuns: 1000 },
  );
});

test('any changed leaf changes the canonical form', () => {
  fc.assert(
    fc.property(spelledObject.filter(({ members }) => leaves({ members }).length > 0), fc.nat(), spelled, (value, pick, other) => {
      const all = leaves(value);
      const leaf = all[pick % all.length]!;
      const before = plain(value);
      const replaced = leaf.replace(other);
      fc.pre(!sameValue(leaf.value, other) && !leaf.ignored);
      expect(canonical(plain(replaced))).not.toBe(canonical(before));
    }),
    { numRuns: 1000 },
  );
});

interface Leaf { value: Spelled; ignored: boolean; replace: (other: Spelled) => Spelled }

function leaves(value: Spelled, rebuild: (value: Spelled) => Spelled = (v) => v, ignored = false, depth = 0): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => leaves(item, (v) => rebuild(value.with(i, v)), ignored, depth + 1));
  if (value !== null && typeof value === 'object' && 'members' in value) {
    return value.members.flatMap(([key, item], i) =>
      leaves(item, (v) => rebuild({ members: value.members.with(i, [key, v]) }), ignored || (depth === 0 && ['stream', 'stream_options', 'user', 'safety_identifier', 'metadata', 'store'].includes(key)), depth + 1));
  }
  return [{ value, ignored, replace: rebuild }];
}

function sameValue(a: Spelled, b: Spelled): boolean {
  if (a !== null && b !== null && typeof a === 'object' && typeof b === 'object' && 'number' in a && 'number' in b) {
    const scale = 40;
    const scaled = (number: string): bigint => {
      const [whole = '', fraction = ''] = number.split('.');
      return BigInt(whole + fraction.padEnd(scale, '0'));
    };
    return scaled(a.number) === scaled(b.number);
  }
  return a === b;
}

test.each([
  ['{"a":1}', '{"a":1.0}'],
  ['{"a":1}', '{"a":1e0}'],
  ['{"a":100}', '{"a":1E+2}'],
  ['{"a":0}', '{"a":-0}'],
  ['{"a":0}', '{"a":-0.0e5}'],
  ['{"a":0.5}', '{"a":5e-1}'],
  ['{"a":1e400}', '{"a":10.0e399}'],
  ['{"a":12345678901234567890}', '{"a":1234567890123456789e1}'],
  ['{"a":0.1}', '{"a":0.1000000000000000000}'],
  ['{"a":"\\u0041\\/"}', '{"a":"A/"}'],
  ['{"a":1,"a":2}', '{"a":2}'],
  ['{"x":{"b":1,"a":2}}', '{ "x" : { "a":2 , "b":1 } }'],
  ['{"a":1,"stream":true,"user":"u","metadata":{},"store":true,"safety_identifier":"s","stream_options":{}}', '{"a":1}'],
  ['{"a":1e2,"a":2}', '{"a":2}'],
])('%s and %s are one request', (a, b) => {
  expect(canonical(a)).toBe(canonical(b));
});

test.each([
  ['{"a":9007199254740993}', '{"a":9007199254740992}'],
  ['{"a":0.1}', '{"a":0.10000000000000000555}'],
  ['{"a":1e400}', '{"a":1e401}'],
  ['{"a":1e-400}', '{"a":0}'],
  ['{"a":1}', '{"a":"1"}'],
  ['{"a":null}', '{}'],
  ['{"a":"é"}', '{"a":"e\\u0301"}'],
  ['{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}'],
  ['{"__proto__":1}', '{}'],
  ['{"a":[1,2]}', '{"a":[2,1]}'],
  ['{"a":[1,[2]]}', '{"a":[[1],2]}'],
  ['{"a":"\\ud800"}', '{"a":"\\ud801"}'],
  ['{"tool":{"user":1}}', '{"tool":{}}'],
])('%s and %s are two requests', (a, b) => {
  expect(canonical(a)).not.toBe(canonical(b));
});

test('a body given as bytes has the canonical form of the same text', () => {
  const text = '{"messages":[{"role":"user","content":"größer 😀"}],"n":12345678901234567890}';
  expect(canonicalRequest({ text: Buffer.from(text), value: JSON.parse(text) as Record<string, unknown> })).toEqual(canonicalRequest(body(text)));
});

test('a member named __proto__ changes no prototype', () => {
  canonical('{"__proto__":{"polluted":true},"n":1e3,"messages":[{"role":"user","__proto__":{"polluted":true},"content":"x"}]}');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('canonical decimals agree with the shortest spelling of a double wherever that is exact', () => {
  fc.assert(fc.property(fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }), fc.integer({ min: -14, max: 6 }), (digits, exponent) => {
    const source = `${digits}e${exponent}`;
    expect(canonicalDecimal(source)).toBe(String(Number(source) === 0 ? 0 : Number(source)));
  }));
});
