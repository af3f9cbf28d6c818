import type { Random } from './random.ts';

const MOST_BYTES = 64 * 1024;
/** What parsers of all kinds stumble over. */
const WORDS = [
  '', '\0', '\r', '\n', '\r\n', '\r\n\r\n', '\n\n', '\t', ' ', '"', "'", '\\', '\\u0000', '\\ud800', '\ufeff', '\u2028', 'é', '😀', '\xff', '{', '}', '[', ']', ',', ':', ';', '=', '%', '%00', '%zz', '/', '..', '#', '&', '*', '|', '>', '- ', '---', '!!', '&a ', '*a', '<<: ', '`', '$', '(', ')', '(?', '+', '?', '^',
  '0', '-0', '-1', '1e999', '1E-999', '0.1', '9007199254740993', '99999999999999999999', '1e400', 'NaN', 'Infinity', 'null', 'true', 'false', '""', '{}', '[]', '{"a":1}', '[null]',
  '"__proto__":', '"__proto__":{"polluted":1},', '"constructor":{"prototype":{"polluted":1}},', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', 'then', 'toJSON',
  'data: ', 'event: ', 'id: ', ': ', '[DONE]', '{"delta":{"__proto__":{"polluted":1}}}', '2026-02-30', '1970-01-01T00:00:00Z', 'sk-deja-x', 'Bearer ', '::1', '127.0.0.1', '::ffff:1.2.3.4', 'max-age=',
];

/** A text, or bytes, that may be anything, most often something like one of the seeds. Never more than 64 KiB. */
export function mutated(random: Random, seeds: readonly Buffer[], words: readonly string[] = []): Buffer {
  if (seeds.length === 0 || random.once(50)) return noise(random);
  let bytes: Buffer = Buffer.from(random.pick(seeds));
  for (let left = random.once(10) ? 0 : 1 + random.below(random.once(4) ? 24 : 4); left > 0; left--) bytes = changed(random, bytes, seeds, words);
  return bytes.subarray(0, MOST_BYTES);
}

function noise(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random.below(200) }, () => (random.once(3) ? random.below(256) : 0x20 + random.below(95))));
}

function changed(random: Random, bytes: Buffer, seeds: readonly Buffer[], words: readonly string[]): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + (random.once(4) ? random.below(bytes.length + 1) : random.below(16)));
  switch (random.below(10)) {
    case 0: return replaced(bytes, at, Math.min(bytes.length, at + 1), Buffer.from([random.below(256)]));
    case 1: return replaced(bytes, at, end, Buffer.alloc(0));
    case 2: return replaced(bytes, at, at, bytes.subarray(at, end));
    case 3: return repeated(random, bytes, at, end);
    case 4: return bytes.subarray(0, at);
    case 5: return spliced(random, bytes, at, random.pick(seeds));
    case 6: return swapped(random, bytes);
    case 7: return inJson(random, bytes, words);
    default: return replaced(bytes, at, random.once(2) ? at : end, word(random, words));
  }
}

const word = (random: Random, words: readonly string[]): Buffer => Buffer.from(words.length > 0 && random.once(2) ? random.pick(words) : random.pick(WORDS));

const replaced = (bytes: Buffer, from: number, to: number, by: Buffer): Buffer => Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);

/** A piece many times over: what costs its length squared shows. */
function repeated(random: Random, bytes: Buffer, from: number, to: number): Buffer {
  const piece = to > from ? bytes.subarray(from, to) : Buffer.from(random.pick(WORDS));
  if (piece.length === 0) return bytes;
  const times = Math.min(1 + random.below(random.once(8) ? 20_000 : 40), Math.floor(MOST_BYTES / piece.length));
  return replaced(bytes, from, to, Buffer.concat(Array.from({ length: times }, () => piece)));
}

const spliced = (random: Random, bytes: Buffer, at: number, other: Buffer): Buffer => Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);

function swapped(random: Random, bytes: Buffer): Buffer {
  const [a = 0, b = 0, c = 0] = [random.below(bytes.length + 1), random.below(bytes.length + 1), random.below(bytes.length + 1)].sort((x, y) => x - y);
  return Buffer.concat([bytes.subarray(0, a), bytes.subarray(b, c), bytes.subarray(a, b), bytes.subarray(c)]);
}

/** In JSON one value takes the place of another: what byte changes do to it is mostly no JSON any more. */
function inJson(random: Random, bytes: Buffer, words: readonly string[]): Buffer {
  const text = bytes.toString('latin1');
  const values = [...text.matchAll(/"(?:[^"\\]|\\.){0,60}"(?!\s*:)|-?\d+(?:\.\d+)?|true|false|null/g)];
  if (values.length === 0) return replaced(bytes, 0, 0, word(random, words));
  const chosen = random.pick(values);
  const by = random.once(3) ? random.pick(values)[0] : random.pick(['null', 'true', '0', '-1', '1.5', '1e300', '""', '"x"', '[]', '{}', '[{}]', '[null]', '{"type":null}', '{"__proto__":{"polluted":1}}', '"\\ud800"', `"${random.pick(words.length > 0 ? words : ['y']).replace(/["\\\p{Cc}]/gu, '')}"`]);
  return replaced(bytes, chosen.index, chosen.index + chosen[0].length, Buffer.from(by, 'latin1'));
}

/** The same bytes in pieces. */
export function pieces(random: Random, bytes: Buffer): Buffer[] {
  const cuts = Array.from({ length: random.below(8) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  const places = random.once(20) && bytes.length < 2000 ? Array.from({ length: bytes.length }, (_, i) => i) : cuts;
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}
