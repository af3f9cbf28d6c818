import fc from 'fast-check';
import { IN_CONTEXT, ORDINARY, POSITIVES } from '../test/samples.ts';
import { DETECTOR_NAMES, type DetectorName } from './action.ts';
import { FINDERS } from './detectors.ts';
import { ibanChecks } from './iban.ts';
import { luhn } from './payment-card.ts';
import { Scan } from './scan.ts';
import { finished } from './work.ts';

const found = (name: DetectorName, text: string): string[] => finished(FINDERS[name](new Scan(text, 0, true))).map(({ start, end }) => text.slice(start, end));
const positives = DETECTOR_NAMES.flatMap((name) => POSITIVES[name].map((text): [DetectorName, string] => [name, text]));

test.each(positives)('%s finds %j, whole, wherever it stands', (name, secret) => {
  for (const text of [secret, `it is ${secret}, is it?`, `(${secret})`, `"${secret}"`, `x=${secret};`, `Ends here: ${secret}.`, `\n${secret}\n`, `これは${secret}です`, `{"a":"b\\n${secret}\\n"}`]) {
    expect({ text, found: found(name, text) }).toEqual({ text, found: [secret] });
  }
});

test.each(IN_CONTEXT)('%s finds its value in %j, and only that', (name, text, value) => {
  expect(found(name, text)).toEqual([value]);
  expect(found(name, `Set ${text}`)).toEqual([value]);
});

test('every detector has samples', () => {
  const named = new Set([...positives, ...IN_CONTEXT].map(([name]) => name));
  expect(DETECTOR_NAMES.filter((name) => !named.has(name))).toEqual([]);
});

test.each(ORDINARY)('nothing is found in ordinary text: %s', (text) => {
  expect(DETECTOR_NAMES.flatMap((name) => found(name, text).map((match) => [name, match]))).toEqual([]);
});

test('a token is found once, by the detector whose it is', () => {
  for (const [name, secret] of positives) {
    const others = DETECTOR_NAMES.filter((other) => other !== name && found(other, secret).length > 0);
    expect({ secret, others }).toEqual({ secret, others: [] });
  }
});

test('a token with a character more or less than its issuer gives it is none', () => {
  for (const name of ['google_api_key', 'aws_access_key', 'npm_token'] as const) {
    for (const secret of POSITIVES[name]) expect([...found(name, `${secret}a`), ...found(name, secret.slice(0, -1)), ...found(name, `x${secret}`)]).toEqual([]);
  }
});

test('three parts with dots are a JWT only when the first is a header that names an algorithm', () => {
  const part = (text: string) => Buffer.from(text).toString('base64url');
  for (const header of ['{"typ":"JWT","kid":"x"}', '{"alg":1,"typ":"x"}', '{"alg":"HS256"', '{"a":"null null"}']) {
    expect(found('jwt', `${part(header)}.${part('{"sub":"someone"}')}.${part('signature signature')}`)).toEqual([]);
  }
});

test('a private key without an end is found as far as its base64 goes, and the prose after it is not', () => {
  const [begin = '', first = '', second = ''] = POSITIVES.private_key[0]!.split('\n');
  const cut = [begin, first, second].join('\n');
  expect(found('private_key', `Here: ${cut}\n\nand so on and so on. More.`)).toEqual([cut]);
  expect(found('private_key', `Here: ${cut}`)).toEqual([cut]);
});

test('an encrypted key is found with its headers', () => {
  const lines = POSITIVES.private_key[1]!.split('\n');
  lines.splice(1, 0, 'Proc-Type: 4,ENCRYPTED', 'DEK-Info: AES-256-CBC,0123456789ABCDEF0123456789ABCDEF', '');
  expect(found('private_key', lines.join('\n'))).toEqual([lines.join('\n')]);
});

const digits = (length: number) => fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length }).map((all) => all.join(''));
const anyDigit = Array.from({ length: 10 }, (_, digit) => String(digit));
const checkDigit = (start: string) => anyDigit.find((digit) => luhn(start + digit))!;

test('of ten last digits exactly one is the check digit, and any one wrong digit is noticed', () => {
  fc.assert(fc.property(digits(15), fc.nat(15), fc.integer({ min: 1, max: 9 }), (start, place, change) => {
    expect(anyDigit.filter((digit) => luhn(start + digit))).toHaveLength(1);
    const card = start + checkDigit(start);
    expect(luhn(card.slice(0, place) + String((Number(card[place]) + change) % 10) + card.slice(place + 1))).toBe(false);
  }));
});

test('every card of a known issuer with a right check digit is found, plain and in groups of four', () => {
  fc.assert(fc.property(fc.constantFrom('4', '51', '55', '2221', '2720', '6011', '65', '3528', '62'), digits(15), (prefix, rest) => {
    const start = (prefix + rest).slice(0, 15);
    const card = start + checkDigit(start);
    expect(found('payment_card', card)).toEqual([card]);
    for (const separator of [' ', '-']) {
      const printed = card.match(/.{4}/g)!.join(separator);
      expect(found('payment_card', printed)).toEqual([printed]);
    }
  }));
});

test('every German IBAN with right check digits is found, and any one wrong digit is noticed', () => {
  fc.assert(fc.property(digits(18), fc.integer({ min: 4, max: 21 }), fc.integer({ min: 1, max: 9 }), (account, place, change) => {
    const check = [...Array(97).keys()].map((n) => String(n + 2).padStart(2, '0')).find((two) => ibanChecks(`DE${two}${account}`))!;
    const iban = `DE${check}${account}`;
    expect(found('iban', iban)).toEqual([iban]);
    const printed = iban.match(/.{1,4}/g)!.join(' ');
    expect(found('iban', printed)).toEqual([printed]);
    expect(found('iban', iban.slice(0, place) + String((Number(iban[place]) + change) % 10) + iban.slice(place + 1))).toEqual([]);
  }));
});

test('whatever the text, matches lie inside of it and are not empty', () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'sk-AIza@.:/=+()0123456789 abGB29\n"\\eyJ'.split('')), maxLength: 200 }), (text) => {
    for (const name of DETECTOR_NAMES) {
      for (const { start, end } of finished(FINDERS[name](new Scan(text, 0, true)))) expect(start >= 0 && start < end && end <= text.length).toBe(true);
    }
  }));
});
