import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Command } from 'ioredis';
import { encodedCommand } from './encoded-command.ts';

test('a command has the bytes that ioredis would send for it, whatever its values are', () => {
  const bytes = fc.uint8Array({ maxLength: 20 }).map((values) => Buffer.from(values));
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.maxSafeInteger(), fc.double({ min: -1e6, max: 1e6, noNaN: true }), bytes, fc.constantFrom('', '\r\n', '$3\r\nfoo'));
  fc.assert(
    fc.property(fc.constantFrom('get', 'set', 'evalsha'), fc.array(value, { maxLength: 8 }), (name, values) => {
      const theirs = new Command(name, [...values]).toWritable({});
      expect(Buffer.from(encodedCommand(name, values))).toEqual(Buffer.from(theirs));
    }),
  );
});
