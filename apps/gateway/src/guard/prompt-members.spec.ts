import { expect, test } from '@jest/globals';
import { parseJsonBody } from '../validate/json-body.ts';
import { treatedBody } from './prompt-texts.ts';

test.each(['__proto__', 'constructor', 'toString', 'no_parameter_of_anybody'])('what a person wrote into a member %s is treated like any other text, however deep', (name) => {
  for (const value of ['my secret', { a: ['my secret'] }, { [name]: 'my secret' }]) {
    const treated = treatedBody(parseJsonBody(Buffer.from(`{"model":"m",${JSON.stringify(name)}:${JSON.stringify(value)}}`)), (text) => text.replaceAll('secret', '[redacted]'));
    expect(treated.text).toContain('my [redacted]');
    expect(treated.text).not.toContain('secret');
  }
  expect(Reflect.get({}, 'a')).toBeUndefined();
});
