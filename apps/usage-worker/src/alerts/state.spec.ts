import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GAP_MS, nextState, type AlertState, type Evidence, type Patience, type Told } from './state.ts';

const MINUTE = 60_000;
const patience: Patience = { forMs: 2 * MINUTE, clearMs: 5 * MINUTE, repeatMs: null, unknownMs: 60 * MINUTE };
const above: Evidence = { kind: 'above', value: 0.9, threshold: 0.8 };
const fine: Evidence = { kind: 'fine', value: 0.1, threshold: 0.8 };
const unknown: Evidence = { kind: 'unknown' };

interface Round {
  atMs: number;
  evidence: Evidence;
  silence?: string | null;
}

/** Evaluates one after another; what was told, with the minute. */
function play(rounds: readonly Round[], how: Patience = patience): { told: (Told & { minute: number })[]; state: AlertState | null } {
  let state: AlertState | null = null;
  const all: (Told & { minute: number })[] = [];
  for (const { atMs, evidence, silence = null } of rounds) {
    const step = nextState(state, evidence, how, silence, atMs);
    ({ state } = step);
    if (step.told !== null) all.push({ ...step.told, minute: atMs / MINUTE });
  }
  return { told: all, state };
}
/** One evaluation a minute: `a` above, `f` fine, `u` unknown, `-` none at all; upper case: silenced. */
const minutes = (text: string): Round[] => Array.from(text).flatMap((letter, i) => {
  const evidence = { a: above, f: fine, u: unknown }[letter.toLowerCase()];
  return evidence === undefined ? [] : [{ atMs: i * MINUTE, evidence, silence: letter === letter.toUpperCase() ? 'calm' : null }];
});
const told = (text: string, how?: Patience) => play(minutes(text), how).told.map(({ minute, state, silencedBy }) => `${minute} ${state}${silencedBy === null ? '' : ` (${silencedBy})`}`);

describe('an alert', () => {
  test('fires when it has held long enough, and is resolved when it has been over long enough', () => {
    expect(told('aaaaaffffffff')).toEqual(['2 firing', '10 resolved']);
  });

  test('that does not hold is told to nobody', () => {
    expect(told('aafaafaaf')).toEqual([]);
  });

  test('that comes back before it was over for long enough is still the same', () => {
    expect(told('aaaffffaffffaffffff')).toEqual(['2 firing', '18 resolved']);
  });

  test('does not change while nothing can be read or said', () => {
    expect(told('aaa--------uuuuuuuu-------uuuuu')).toEqual(['2 firing']);
  });

  test('that nothing was said of for very long is over, without a value', () => {
    const { told: all, state } = play(minutes(`aaa${'u'.repeat(61)}`));
    expect(all.map(({ minute, state: phase, value }) => [minute, phase, value])).toEqual([[2, 'firing', 0.9], [63, 'resolved', null]]);
    expect(state).toBeNull();
  });

  test('does not fire for what was seen before and after a gap: nobody knows that it held between', () => {
    expect(told('a----a')).toEqual([]);
    expect(told('a----aaa')).toEqual(['7 firing']);
  });

  test('is not resolved by a gap between two moments at which it was fine', () => {
    expect(told('aaaf------f')).toEqual(['2 firing']);
    expect(told('aaaf------ffffff')).toEqual(['2 firing', '15 resolved']);
  });

  test('is told again after each repeat interval while it is above, and not while it is about to end', () => {
    const repeating = { ...patience, repeatMs: 3 * MINUTE };
    expect(told('aaaaaaaaaffffff', repeating)).toEqual(['2 firing', '5 firing', '8 firing', '14 resolved']);
  });

  test('that begins in a silence is written down once, and told when the silence is over and it still fires', () => {
    expect(told('aaAAAAaaffffff')).toEqual(['2 firing (calm)', '6 firing', '13 resolved']);
    expect(told('aaAAAAuu')).toEqual(['2 firing (calm)', '6 firing']);
    expect(play(minutes('aaAAAAuu')).told.at(-1)).toMatchObject({ value: 0.9, seenAtMs: 5 * MINUTE });
  });

  test('that begins and ends in a silence is told to nobody, nor is its end afterwards', () => {
    expect(told('AAAAFFFFFF')).toEqual(['2 firing (calm)', '9 resolved (calm)']);
    expect(told('AAAAffffff')).toEqual(['2 firing (calm)', '9 resolved (calm)']);
  });

  test('that was told does not repeat in a silence', () => {
    expect(told('aaaAAAAAaaaa', { ...patience, repeatMs: 3 * MINUTE })).toEqual(['2 firing', '8 firing', '11 firing']);
  });

  test('without hold times fires and is resolved at once', () => {
    expect(told('afaf', { ...patience, forMs: 0, clearMs: 0 })).toEqual(['0 firing', '1 resolved', '2 firing', '3 resolved']);
  });
});

const round = fc.record({ gapMs: fc.integer({ min: 1, max: 2 * GAP_MS }), evidence: fc.constantFrom(above, above, fine, unknown), silence: fc.constantFrom(null, null, null, 'calm') });
const how = fc.record({
  forMs: fc.integer({ min: 0, max: 5 * MINUTE }), clearMs: fc.integer({ min: 0, max: 10 * MINUTE }), repeatMs: fc.option(fc.integer({ min: MINUTE, max: 10 * MINUTE })), unknownMs: fc.integer({ min: MINUTE, max: 30 * MINUTE }),
});
const timed = (rounds: { gapMs: number; evidence: Evidence; silence: string | null }[]): Round[] => {
  let atMs = 0;
  return rounds.map(({ gapMs, ...rest }) => ({ ...rest, atMs: (atMs += gapMs) }));
};

describe('whatever happens,', () => {
  test('receivers are never told twice that an alert fires, but for its end or a repeat interval between', () => {
    fc.assert(fc.property(fc.array(round, { maxLength: 80 }), how, (rounds, patienceOf) => {
      const heard = play(timed(rounds), patienceOf).told.filter(({ state, silencedBy }) => state === 'resolved' || silencedBy === null);
      const twice = heard.filter(({ state, minute }, i) => {
        const before = heard[i - 1];
        return state === 'firing' && before?.state === 'firing' && minute * MINUTE - before.minute * MINUTE < (patienceOf.repeatMs ?? Infinity) - 0.01;
      });
      expect(twice).toEqual([]);
    }));
  });

  test('an end is told of what was told to fire only', () => {
    fc.assert(fc.property(fc.array(round, { maxLength: 80 }), how, (rounds, patienceOf) => {
      let beginnings: Told[] = [];
      const wrong: Told[] = [];
      for (const one of play(timed(rounds), patienceOf).told) {
        const isUnheard = beginnings.every(({ silencedBy }) => silencedBy !== null);
        if (one.state === 'resolved' && (beginnings.length === 0 || (isUnheard && one.silencedBy === null))) wrong.push(one);
        beginnings = one.state === 'resolved' ? [] : [...beginnings, one];
      }
      expect(wrong).toEqual([]);
    }));
  });

  test('an evaluation that is done again with what was stored changes nothing and tells nobody', () => {
    fc.assert(fc.property(fc.array(round, { minLength: 1, maxLength: 40 }), how, fc.boolean(), (rounds, patienceOf, once) => {
      let state: AlertState | null = null;
      for (const { atMs, evidence, silence = null } of timed(rounds)) {
        ({ state } = nextState(state, evidence, patienceOf, silence, atMs));
        for (let again = once ? 1 : 3; again > 0; again -= 1) {
          // What is fine has no state, and a beginning that holds no time at all has begun again.
          const step = nextState(JSON.parse(JSON.stringify(state)) as AlertState | null, evidence, patienceOf, silence, atMs);
          expect(step.told).toBeNull();
          expect(step.state).toEqual(state);
        }
      }
    }));
  });

  test('nothing fires that was not above for as long as it had to be', () => {
    fc.assert(fc.property(fc.array(round, { maxLength: 80 }), how, (rounds, patienceOf) => {
      const all = timed(rounds);
      const { told: events } = play(all, patienceOf);
      const first = events.find(({ state }) => state === 'firing');
      if (first === undefined) return;
      const before = all.filter(({ atMs }) => atMs <= first.minute * MINUTE && atMs > first.minute * MINUTE - patienceOf.forMs);
      expect(before.every(({ evidence }) => evidence.kind !== 'fine')).toBe(true);
    }));
  });

  test('an alert that ended has no state left, and one that fires has one', () => {
    fc.assert(fc.property(fc.array(round, { maxLength: 60 }), how, (rounds, patienceOf) => {
      const { told: events, state } = play(timed(rounds), patienceOf);
      const fires = events.at(-1)?.state === 'firing';
      expect(state?.phase === 'firing').toBe(fires);
    }));
  });
});
