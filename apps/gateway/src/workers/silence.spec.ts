import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BEATS, Silence, silenceMs } from './silence.ts';

test('a worker is ended after a whole time of beats without a word from it, and one word is enough to live on', () => {
  fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (words) => {
    const silence = new Silence();
    let since = 0;
    for (const word of words) {
      if (word) silence.broken();
      since = word ? 1 : since + 1;
      expect(silence.lasts()).toBe(since > BEATS);
    }
  }));
});

test('a worker may say nothing for a minute, or for as long as the environment says', () => {
  expect([silenceMs({}), silenceMs({ DEJA_GATEWAY_WORKER_SILENCE_S: ' ' }), silenceMs({ DEJA_GATEWAY_WORKER_SILENCE_S: ' 2.5 ' })]).toEqual([60_000, 60_000, 2500]);
  for (const given of ['0', '-1', 'a minute', '86401', 'NaN']) {
    expect(() => silenceMs({ DEJA_GATEWAY_WORKER_SILENCE_S: given })).toThrow(`DEJA_GATEWAY_WORKER_SILENCE_S must be a number of seconds between 1 and 86400, but it is "${given}".`);
  }
});
