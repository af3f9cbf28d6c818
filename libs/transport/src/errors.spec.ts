import { expect, test } from '@jest/globals';
import { DejaError, ERRORS, type ErrorCode } from '@deja/contracts';
import * as fc from 'fast-check';
import { fromWire, RpcFailure, toWire } from './errors.ts';
import { decode } from './protocol.ts';

const codes = Object.keys(ERRORS) as ErrorCode[];

test('the public part of a DejaError is the same on both sides, and its cause stays at home', () => {
  const options = fc.record(
    { param: fc.string(), retryAfterMs: fc.nat(), type: fc.string(), retry: fc.boolean(), cause: fc.constant(new Error('secret')) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.constantFrom(...codes), fc.string(), options, (code, message, o) => {
      const sent = new DejaError(code, message, o);
      const text = JSON.stringify(toWire(sent));
      const arrived = fromWire(JSON.parse(text), 'pattern');
      const { param, retryAfterMs, type, retry } = sent;
      expect(arrived).toMatchObject({ name: 'DejaError', code, message, param, retryAfterMs, type, retry });
      expect(arrived.cause).toBeUndefined();
    }),
  );
});

test('nothing of any other error leaves', () => {
  for (const error of [new Error('secret'), new TypeError('secret'), 'secret', { code: 'invalid_value', message: 'secret' }, null, undefined]) {
    expect(toWire(error)).toEqual({ kind: 'failure' });
  }
});

test('a code of a newer release arrives as a failure', () => {
  const wire = { kind: 'deja', code: 'constructor', message: 'm', param: null, retryAfterMs: null, type: 't', retry: false };
  expect(fromWire(wire as never, 'pattern')).toBeInstanceOf(RpcFailure);
});

test('decoding takes whatever stands in a stream', () => {
  const text = fc.oneof(fc.string(), fc.json(), fc.constant('{"pattern":1}'));
  fc.assert(
    fc.property(fc.array(text), fc.boolean(), (rest, named) => {
      const message = decode(named ? ['m', ...rest] : rest);
      expect(message === null || typeof message.pattern === 'string').toBe(true);
    }),
  );
});
