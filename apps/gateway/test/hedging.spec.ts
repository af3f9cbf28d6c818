import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Candidate, Plan } from '@deja/contracts';
import { answer, eventually, fakeProvider, status, type FakeProvider, type Step } from '@deja/testing';
import type { Answer } from '../src/attempt/answer.ts';
import type { Operation } from '../src/operation/operation.ts';
import { AttemptWorld, candidate, chatQuestion, credential, operationOf, planOf, settingsWith } from './attempt-world.ts';

let provider: FakeProvider;
let world: AttemptWorld;
let open: (() => void)[] = [];
/** The wait that decides about a second call: the test ends it. */
let due: { ms: number; over: () => void; signal: AbortSignal } | null = null;
beforeAll(async () => {
  provider = await fakeProvider();
});
beforeEach(() => {
  due = null;
  world = new AttemptWorld({
    chances: {
      wait: (ms, signal) => new Promise((resolve, reject) => {
        due = { ms, over: resolve, signal };
        signal.addEventListener('abort', () => reject(new Error('nobody waits')));
      }),
    },
  });
});
afterEach(async () => {
  for (const letGo of open.splice(0)) letGo();
  provider.reset();
  await world.close();
});
afterAll(() => provider.close());

const answerEvents = 'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
const at = (name: string, own: string): Candidate => candidate(provider, name, credential(`p/${own}`));
/** The first deployment's calls have taken 40 ms or less, nineteen times out of twenty. */
function knownAs(first: Candidate, form: 'stream' | 'whole' = 'whole'): void {
  for (let i = 0; i < 20; i++) {
    const call = world.view.started(first, form);
    call.firstByte(i === 0 ? 900 : 40);
    call.ended(null);
  }
}
/** A step that waits for the test. */
function held(name: string, step: Step): { goOn: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  open.push(resolve);
  provider.scriptFor(`sk-${name}`, async () => {
    await promise;
    return step;
  });
  return { goOn: resolve };
}
const run = (operation: Operation, candidates: Candidate[], o: { stream?: boolean; hedge?: Plan['hedge'] } = {}): Promise<Answer> =>
  world.attempts.run(operation, chatQuestion(o.stream ?? false), planOf(candidates, { hedge: o.hedge === undefined ? { percentile: 95, maxShare: 1 } : o.hedge }), settingsWith());
const asked = (count: number): Promise<void> => provider.waitFor(({ requests }) => requests.length === count);

describe('a first call that takes longer than most', () => {
  test('is joined by a second one, which answers; the first is cancelled, and both are accounted', async () => {
    const [one, two] = [at('one', 'a'), at('two', 'b')];
    knownAs(one);
    held('a', answer('Late.'));
    provider.scriptFor('sk-b', answer('Sooner.'));
    const operation = operationOf();
    const answered = run(operation, [one, two]);
    await asked(1);
    expect(due?.ms).toBe(40);
    due?.over();
    expect(await answered).toMatchObject({ kind: 'whole', candidate: { upstreamModel: 'two' }, reply: { text: 'Sooner.' } });
    expect(operation.attempts).toMatchObject([
      { n: 1, deployment: 'p/one', hedge: false, outcome: 'cancelled', errorCode: null, usage: { promptTokens: 7, completionTokens: 0 }, usageSource: 'estimated' },
      { n: 2, deployment: 'p/two', hedge: true, outcome: 'ok', usageSource: 'upstream' },
    ]);
    expect(world.admission.told.map(({ model, failure }) => [model, failure])).toEqual([['two', null], ['one', 'cancelled']]);
    expect(await world.reported()).toEqual([{ deployment: 'p/two', failure: null }]);
    await provider.waitFor(({ requests }) => requests[0]?.abortedAtMs !== null);
  });

  test('may still be the first to answer: then the second is cancelled, and the first is the one that served', async () => {
    const [one, two] = [at('one', 'a'), at('two', 'b')];
    knownAs(one, 'stream');
    const first = held('a', answer('After all.'));
    held('b', answer('Too late.'));
    const operation = operationOf();
    const answered = run(operation, [one, two], { stream: true });
    await asked(1);
    due?.over();
    await asked(2);
    first.goOn();
    const given = await answered;
    expect(given).toMatchObject({ kind: 'stream', candidate: { upstreamModel: 'one' } });
    if (given.kind === 'stream') await given.finish(null);
    expect(operation.attempts).toMatchObject([{ n: 2, hedge: true, outcome: 'cancelled' }, { n: 1, hedge: false, outcome: 'ok' }]);
    expect(operation.servingAttempt).toMatchObject({ n: 1, deployment: 'p/one' });
    await provider.waitFor(({ requests }) => requests[1]?.abortedAtMs !== null);
  });

  test('and fails leaves the matter to the second', async () => {
    const [one, two] = [at('one', 'a'), at('two', 'b')];
    knownAs(one);
    const first = held('a', status(500));
    const second = held('b', answer('Here.'));
    const operation = operationOf();
    const answered = run(operation, [one, two]);
    await asked(1);
    due?.over();
    await asked(2);
    first.goOn();
    await provider.waitFor(({ requests }) => requests[0]?.finishedAtMs !== null);
    second.goOn();
    expect(await answered).toMatchObject({ candidate: { upstreamModel: 'two' } });
    expect(operation.attempts).toMatchObject([{ outcome: 'error' }, { outcome: 'ok', hedge: true }]);
  });

  test('when both fail, others are asked as ever', async () => {
    const candidates = [at('one', 'a'), at('two', 'b'), at('three', 'b')];
    knownAs(candidates[0]!);
    const first = held('a', status(500));
    provider.scriptFor('sk-b', status(500), answer('The third.'));
    const operation = operationOf();
    const answered = run(operation, candidates);
    await asked(1);
    due?.over();
    await provider.waitFor(({ requests }) => requests[1]?.finishedAtMs !== null && requests[1] !== undefined);
    first.goOn();
    expect(await answered).toMatchObject({ candidate: { upstreamModel: 'three' } });
    expect(operation.attempts).toMatchObject([{ n: 1, outcome: 'error' }, { n: 2, outcome: 'error', hedge: true }, { n: 3, outcome: 'ok', hedge: false }]);
  });

  test('a client that leaves ends both', async () => {
    const [one, two] = [at('one', 'a'), at('two', 'b')];
    knownAs(one);
    held('a', answer('x'));
    held('b', answer('x'));
    const operation = operationOf();
    const answered = run(operation, [one, two]);
    await asked(1);
    due?.over();
    await asked(2);
    operation.abandon();
    await expect(answered).rejects.toMatchObject({ kind: 'cancelled' });
    expect(operation.attempts).toMatchObject([{ outcome: 'cancelled' }, { outcome: 'cancelled' }]);
  });
});

describe('there is no second call', () => {
  const expectOne = async (operation: Operation, candidates: Candidate[], hedge?: Plan['hedge']): Promise<void> => {
    const first = held('a', answer('Alone.'));
    const answered = run(operation, candidates, { ...(hedge !== undefined && { hedge }) });
    await asked(1);
    due?.over();
    first.goOn();
    expect(await answered).toMatchObject({ candidate: { upstreamModel: 'one' } });
    expect(provider.requests).toHaveLength(1);
    expect(operation.attempts).toHaveLength(1);
  };

  test('where the plan wants none', async () => {
    knownAs(at('one', 'a'));
    await expectOne(operationOf(), [at('one', 'a'), at('two', 'b')], null);
    expect(due).toBeNull();
  });

  test('before enough is known of the deployment', async () => {
    await expectOne(operationOf(), [at('one', 'a'), at('two', 'b')]);
    expect(due).toBeNull();
  });

  test('where there is no other deployment', async () => {
    knownAs(at('one', 'a'));
    await expectOne(operationOf(), [at('one', 'a'), at('one', 'b')]);
  });

  test('beyond the share', async () => {
    knownAs(at('one', 'a'));
    await expectOne(operationOf(), [at('one', 'a'), at('two', 'b')], { percentile: 95, maxShare: 0.1 });
  });

  test('where the quota of the other is used up', async () => {
    knownAs(at('one', 'a'));
    world.admission.refused.add('two');
    await expectOne(operationOf(), [at('one', 'a'), at('two', 'b')]);
  });

  test('after the first has said anything, however long its content takes', async () => {
    const one = at('one', 'a');
    knownAs(one, 'stream');
    const { promise, resolve } = Promise.withResolvers<void>();
    open.push(resolve);
    provider.scriptFor('sk-a', { raw: { contentType: 'text/event-stream', body: [': thinking\n\n', answerEvents] }, gate: (i) => (i === 1 ? promise : undefined) });
    const operation = operationOf();
    const answered = run(operation, [one, at('two', 'b')], { stream: true });
    await eventually('the first byte', () => operation.attempts[0]?.firstByteMs != null);
    due?.over();
    resolve();
    const given = await answered;
    if (given.kind === 'stream') await given.finish(null);
    expect(provider.requests).toHaveLength(1);
  });

  test('once the first has failed or answered: the wait for it ends', async () => {
    const one = at('one', 'a');
    knownAs(one);
    provider.scriptFor('sk-a', answer('At once.'));
    await run(operationOf(), [one, at('two', 'b')]);
    expect(due?.signal.aborted).toBe(true);
    provider.scriptFor('sk-a', status(500));
    provider.scriptFor('sk-b', answer('Then I.'));
    const operation = operationOf();
    expect(await run(operation, [one, at('two', 'b')])).toMatchObject({ candidate: { upstreamModel: 'two' } });
    expect(due?.signal.aborted).toBe(true);
    expect(operation.attempts.map(({ hedge }) => hedge)).toEqual([false, false]);
  });
});
