import { describe, expect, test } from '@jest/globals';
import { FAILURE_KINDS, type Candidate, type FailureKind, type Plan } from '@deja/contracts';
import fc from 'fast-check';
import { CandidateWalk, placeOf } from './candidate-walk.ts';
import { FAILURES, type Hopeless } from './failure-table.ts';
import { AttemptFailure } from './failure.ts';
import { RetryBudget } from './retry-budget.ts';

/** `d#c` is credential c at deployment d; `d` needs none; `d#c!` has an address of its own. */
function one(name: string): Candidate {
  const [id = '', key] = name.split('#');
  const own = name.endsWith('!') && { baseUrl: `http://${key}` };
  const credential = key === undefined ? null : { id: `p/${key}`, version: '1', weight: 1, limits: {}, unavailableUntilMs: 0, ...own };
  return { model: 'm', deployment: { id, baseUrl: `http://${id}`, ...own } as Candidate['deployment'], credential, upstreamModel: name };
}

/** A budget with nothing left for this candidate's place. */
function spentAt(name: string): RetryBudget {
  const budget = new RetryBudget();
  while (budget.withdraw(placeOf(one(name)), 0));
  return budget;
}

const planOf = (names: string[], instead: Partial<Record<keyof Plan['instead'], string[]>> = {}): Pick<Plan, 'candidates' | 'instead'> =>
  ({ candidates: names.map(one), instead: { contextWindow: (instead.contextWindow ?? []).map(one), contentPolicy: (instead.contentPolicy ?? []).map(one) } });

const failing = (kind: FailureKind, detail: ConstructorParameters<typeof AttemptFailure>[1] = {}): AttemptFailure => new AttemptFailure(kind, detail);

interface Options {
  maxAttempts?: number;
  budget?: RetryBudget | null;
}

/** Walks on while calls fail as told; the last way of failing is repeated. */
function walked(plan: Pick<Plan, 'candidates' | 'instead'>, fails: FailureKind[], o: Options = {}): { asked: string[]; waits: number[]; walk: CandidateWalk } {
  const walk = new CandidateWalk(plan, { max_attempts: o.maxAttempts ?? 8, backoff_ms: [100, 400], budget: 0.2 }, o.budget === undefined ? new RetryBudget() : o.budget);
  const asked: string[] = [];
  const waits: number[] = [];
  for (let next = walk.next({ nowMs: 0, random: 1 }); next !== null; next = walk.next({ nowMs: 0, random: 1 })) {
    walk.begins(next.candidate, 0);
    asked.push(next.candidate.upstreamModel);
    waits.push(next.waitMs);
    walk.failed(next.candidate, failing(fails[asked.length - 1] ?? fails.at(-1)!));
  }
  return { asked, waits, walk };
}

describe('candidates', () => {
  test('are tried in the order of the plan, then once more after waits that grow, within the attempts', () => {
    const { asked, waits } = walked(planOf(['a#1', 'a#2', 'b#1']), ['overloaded'], { maxAttempts: 7 });
    expect(asked).toEqual(['a#1', 'a#2', 'b#1', 'a#1', 'a#2', 'b#1', 'a#1']);
    expect(waits).toEqual([0, 0, 0, 400, 400, 400, 400]);
    expect(walked(planOf(['a']), ['network'], { maxAttempts: 4 }).waits).toEqual([0, 100, 200, 400]);
  });

  test('of a deployment that let a deadline pass come after all others, so that a client does not wait for it twice', () => {
    expect(walked(planOf(['a#1', 'a#2', 'b#1', 'c#1']), ['timeout', 'overloaded'], { maxAttempts: 4 }).asked).toEqual(['a#1', 'b#1', 'c#1', 'a#2']);
    expect(walked(planOf(['a#1', 'a#2']), ['timeout'], { maxAttempts: 3 }).asked).toEqual(['a#1', 'a#2', 'a#1']);
  });

  test('that a plan names twice are one', () => {
    const plan = planOf(['a']);
    expect(walked({ ...plan, candidates: [...plan.candidates, ...plan.candidates] }, ['rate']).asked).toEqual(['a']);
  });

  test.each<[FailureKind, string[]]>([
    ['auth', ['a#1', 'a#2', 'b#3']],
    ['quota', ['a#1', 'a#2', 'b#3']],
    ['rate', ['a#1', 'a#2', 'b#1', 'b#3']],
    ['model', ['a#1', 'b#1']],
    ['caller', ['a#1']],
    ['blocked', ['a#1']],
    ['cancelled', ['a#1']],
  ])('after %s, whoever cannot help is not asked', (kind, order) => {
    expect(walked(planOf(['a#1', 'a#2', 'b#1', 'b#3']), [kind]).asked).toEqual(order);
  });

  test('where nothing may be repeated, each is tried once', () => {
    expect(walked(planOf(['a#1', 'b#1']), ['overloaded'], { budget: null }).asked).toEqual(['a#1', 'b#1']);
  });

  test('at a deployment without budget are not repeated; one that was not asked yet still is', () => {
    expect(walked(planOf(['a#1', 'a#2', 'b#1', 'c#1']), ['overloaded', 'network', 'overloaded', 'rate'], { budget: spentAt('a'), maxAttempts: 5 }).asked).toEqual(['a#1', 'a#2', 'b#1', 'c#1', 'b#1']);
  });

  test('that were not asked yet need no budget after one that fails; a third one at a deployment that failed with two does', () => {
    const plan = planOf(['a#1', 'a#2', 'a#3', 'a#4', 'b#1']);
    expect(walked(plan, ['overloaded'], { budget: spentAt('a'), maxAttempts: 5 }).asked).toEqual(['a#1', 'a#2', 'b#1', 'b#1', 'b#1']);
    expect(walked(plan, ['rate', 'overloaded', 'network', 'rate'], { budget: spentAt('a'), maxAttempts: 4 }).asked).toEqual(['a#1', 'a#2', 'a#3', 'b#1']);
  });

  test('of a deployment that failed with two of them come after all others, whatever its budget', () => {
    expect(walked(planOf(['a#1', 'a#2', 'a#3', 'a#4', 'b#1', 'c#1']), ['overloaded', 'network'], { maxAttempts: 4 }).asked).toEqual(['a#1', 'a#2', 'b#1', 'c#1']);
  });

  test('with addresses of their own fail by themselves: no number of them keeps another from being asked, nor does their silence', () => {
    const budget = spentAt('a');
    for (const kind of ['network', 'timeout'] as const) expect(walked(planOf(['a#1!', 'a#2!', 'a#3', 'a#4!', 'a#5']), [kind], { budget, maxAttempts: 5 }).asked).toEqual(['a#1!', 'a#2!', 'a#3', 'a#4!', 'a#5']);
  });

  test('one that fails and one that is well: however many requests find the budget spent, each gets its answer', () => {
    const budget = new RetryBudget();
    for (let request = 0; request < 200; request++) {
      const walk = new CandidateWalk(planOf(request % 2 === 0 ? ['a#bad', 'a#good'] : ['a#good', 'a#bad']), { max_attempts: 3, backoff_ms: [1, 2], budget: 0 }, budget);
      let next = walk.next({ nowMs: 0, random: 0 });
      while (next !== null && next.candidate.credential!.id === 'p/bad') {
        walk.begins(next.candidate, 0);
        walk.failed(next.candidate, failing('overloaded', { status: 500 }));
        next = walk.next({ nowMs: 0, random: 0 });
      }
      expect(next?.candidate.upstreamModel).toBe('a#good');
    }
  });

  test('another credential after a rate limit is no repeat: it costs no budget', () => {
    expect(walked(planOf(['a#1', 'a#2', 'a#3']), ['rate'], { budget: spentAt('a') }).asked).toEqual(['a#1', 'a#2', 'a#3']);
  });
});

describe('those who come instead', () => {
  test('take over after their reason, once for each, and within the attempts', () => {
    const plan = planOf(['a', 'b'], { contextWindow: ['c', 'd'], contentPolicy: ['e'] });
    expect(walked(plan, ['context_window', 'rate', 'content_policy', 'context_window']).asked).toEqual(['a', 'c', 'd', 'e']);
    expect(walked(plan, ['overloaded', 'context_window'], { maxAttempts: 2 }).asked).toEqual(['a', 'b']);
  });

  test('are what the client is told about when they cannot help', () => {
    const { walk } = walked(planOf(['a'], { contextWindow: ['c'] }), ['context_window', 'rate']);
    expect(walk.end()).toMatchObject({ code: 'provider_rate_limited' });
    expect(walked(planOf(['a']), ['context_window']).walk.end()).toMatchObject({ code: 'context_length_exceeded' });
  });
});

describe('the end', () => {
  test('when attempts ran out before the candidates did, a client may come back as soon as they can', () => {
    const plan = planOf(['a#1', 'a#2', 'a#3']);
    const told = (maxAttempts: number): unknown => {
      const walk = new CandidateWalk(plan, { max_attempts: maxAttempts, backoff_ms: [1, 1], budget: 0 }, null);
      for (let next = walk.next({ nowMs: 0, random: 0 }); next !== null; next = walk.next({ nowMs: 0, random: 0 })) {
        walk.begins(next.candidate, 0);
        walk.failed(next.candidate, failing('rate', { retryAfterMs: 30_000 }));
      }
      return walk.end();
    };
    expect(told(2)).toMatchObject({ code: 'provider_rate_limited', retryAfterMs: 1000 });
    expect(told(3)).toMatchObject({ code: 'provider_rate_limited', retryAfterMs: 30_000 });
  });

  test('says who was passed by: for its quota 429, for its credential 503', () => {
    const ended = (...why: ('quota' | 'lease')[]): unknown => {
      const walk = new CandidateWalk(planOf(why.map((_, i) => `d${i}`)), { max_attempts: 4, backoff_ms: [1, 1], budget: 0 }, new RetryBudget());
      for (const reason of why) walk.skipped(walk.next({ nowMs: 0, random: 0 })!.candidate, reason);
      return walk.end();
    };
    expect(ended('quota', 'lease')).toMatchObject({ code: 'provider_rate_limited' });
    expect(ended('lease', 'lease')).toMatchObject({ code: 'no_deployment_available' });
  });
});

test('a second call goes to the next candidate at another deployment, and only within the attempts', () => {
  const walk = new CandidateWalk(planOf(['a#1', 'a#2', 'b#1', 'c#1']), { max_attempts: 2, backoff_ms: [1, 1], budget: 0 }, new RetryBudget());
  const first = walk.next({ nowMs: 0, random: 0 })!.candidate;
  walk.begins(first, 0);
  const second = walk.elsewhere(first)!;
  expect(second.upstreamModel).toBe('b#1');
  walk.begins(second, 0);
  expect(walk.elsewhere(first)).toBeNull();
});

function isHopeless(candidate: Candidate, failed: Candidate, hopeless: Hopeless): boolean {
  const sameDeployment = candidate.deployment.id === failed.deployment.id;
  const sameCredential = candidate.credential?.id === failed.credential?.id;
  if (hopeless === 'deployment') return sameDeployment;
  if (hopeless === 'credential' && candidate.credential !== null) return sameCredential;
  return hopeless !== 'nothing' && hopeless !== 'request' && sameDeployment && sameCredential;
}

test('whatever fails however: it ends within the attempts, nobody hopeless is asked, and the client gets an error', () => {
  const names = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('#1', '#2', '')).map((parts) => parts.join('')), { minLength: 1, maxLength: 8 });
  const kinds = fc.array(fc.constantFrom(...FAILURE_KINDS), { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(names, names, kinds, fc.integer({ min: 1, max: 8 }), (candidates, others, fails, maxAttempts) => {
    const { asked, walk } = walked(planOf(candidates, { contextWindow: others, contentPolicy: others }), fails, { maxAttempts });
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThanOrEqual(maxAttempts);
    const kindOf = (i: number): FailureKind => fails[i] ?? fails.at(-1)!;
    // No call that an earlier failure has made hopeless.
    const inVain = asked.filter((name, i) => asked.slice(0, i).some((other, j) => isHopeless(one(name), one(other), FAILURES[kindOf(j)].hopeless)));
    expect(inVain).toEqual([]);
    expect(walk.end()).toBeInstanceOf(Error);
  }));
});
