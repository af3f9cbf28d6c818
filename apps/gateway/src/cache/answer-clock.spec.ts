import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AnswerClock } from './answer-clock.ts';

test('nothing is known before Redis was heard', () => {
  expect(new AnswerClock().at(5)).toBeNull();
});

test('it is never ahead of Redis, and behind by at most what the fastest of the last replies took', () => {
  const reply = fc.record({ afterMs: fc.integer({ min: 1, max: 1000 }), takesMs: fc.integer({ min: 0, max: 250 }) });
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 41 }), fc.array(reply, { minLength: 1, maxLength: 30 }), fc.integer({ min: 0, max: 5000 }), (leadMs, replies, laterMs) => {
    const clock = new AnswerClock();
    let nowMs = 0;
    for (const { afterMs, takesMs } of replies) {
      nowMs += afterMs + takesMs;
      clock.heard(nowMs - takesMs + leadMs, nowMs);
    }
    const behindMs = nowMs + laterMs + leadMs - (clock.at(nowMs + laterMs) ?? Number.NaN);
    expect(behindMs).toBe(Math.min(...replies.slice(-8).map(({ takesMs }) => takesMs)));
  }));
});

test('a clock that was set back is followed after some readings', () => {
  const clock = new AnswerClock();
  clock.heard(1_000_000, 0);
  for (let i = 1; i <= 8; i++) clock.heard(500_000 + i, i);
  expect(clock.at(10)).toBe(500_010);
});
