import { describe, expect, test } from '@jest/globals';
import { PARSER_REGRESSIONS } from '../fuzz/parser-regressions.ts';
import { complaint, PARSERS, runParsers } from '../fuzz/parser-run.ts';

const CASES = 2500;
/** Here it is only to be seen that every case ends; how long it takes is looked at by the program. */
const SLACK = 10;

describe('whatever bytes a parser gets', () => {
  test('it refuses them by its own error or reads them, in bounded time, cut anywhere, and no prototype changes', () => {
    const { cases, failures } = runParsers({ seed: 11, slack: SLACK, done: (total) => total >= CASES });
    expect(failures.map(({ target, n, what }) => `${target}#${n}: ${what}`)).toEqual([]);
    expect(Object.keys(cases).filter((name) => (cases[name] ?? 0) < 50)).toEqual([]);
  });

  test.each(PARSER_REGRESSIONS)('$target: $what, and no longer', ({ target, text }) => {
    const parser = PARSERS.find(({ name }) => name === target);
    expect(parser && complaint(parser, Buffer.from(text), 1, SLACK)).toBeNull();
  });
});
