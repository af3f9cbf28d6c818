import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { FAILURE_KINDS, type Candidate, type FailureKind, type Plan } from '@deja/contracts';
import { planRequest } from '@deja/routing';
import { answer, fakeProvider, raw, status, type FakeProvider, type ScriptStep, type Step } from '@deja/testing';
import type { Answer } from '../src/attempt/answer.ts';
import type { Question } from '../src/attempt/attempts.ts';
import { FAILURES } from '../src/attempt/failure-table.ts';
import { AttemptFailure } from '../src/attempt/failure.ts';
import type { Operation } from '../src/operation/operation.ts';
import { AttemptWorld, candidate, chatQuestion, credential, operationOf, planOf, settingsWith } from './attempt-world.ts';

let provider: FakeProvider;
let world: AttemptWorld;
beforeAll(async () => {
  provider = await fakeProvider();
});
beforeEach(() => {
  world = new AttemptWorld();
});
afterEach(async () => {
  provider.reset();
  await world.close();
});
afterAll(() => provider.close());

const refusal = (code: number, ownCode: string, headers: Record<string, string> = {}): Step =>
  status(code, headers, { error: { message: `says ${ownCode}`, type: 't', param: null, code: ownCode } });
const NONSENSE = raw({ contentType: 'text/event-stream', body: 'data: nonsense\n\n' });

/** How each kind of failure looks at the provider, what the client is told when it is all there is, and who is asked after it when there is another deployment. */
interface Row {
  step: Step;
  code: string;
  goesOn: boolean;
  retryAfterMs?: number;
}

const ROWS: Record<Exclude<FailureKind, 'blocked' | 'cancelled'>, Row> = {
  caller: { step: refusal(400, 'unsupported_parameter'), code: 'invalid_value', goesOn: false },
  context_window: { step: refusal(400, 'context_length_exceeded'), code: 'context_length_exceeded', goesOn: false },
  content_policy: { step: refusal(400, 'content_filter'), code: 'content_policy_violation', goesOn: false },
  auth: { step: refusal(401, 'invalid_api_key'), code: 'upstream_error', goesOn: true },
  quota: { step: refusal(429, 'insufficient_quota'), code: 'provider_rate_limited', goesOn: true, retryAfterMs: 300_000 },
  rate: { step: refusal(429, 'rate_limit_exceeded', { 'retry-after': '7' }), code: 'provider_rate_limited', goesOn: true, retryAfterMs: 7000 },
  model: { step: refusal(404, 'model_not_found'), code: 'model_not_found', goesOn: true },
  overloaded: { step: refusal(503, 'overloaded'), code: 'upstream_error', goesOn: true },
  timeout: { step: { hangAfter: 0 }, code: 'upstream_timeout', goesOn: true },
  network: { step: { cutAfter: 0 }, code: 'upstream_error', goesOn: true },
  malformed: { step: NONSENSE, code: 'upstream_error', goesOn: true },
};
const TABLE = Object.entries(ROWS) as [FailureKind, Row][];
/** A hang is given up soon; everything else has all the time it needs. */
const settingsFor = (kind: FailureKind) => settingsWith({ retries: { max_attempts: 2 }, ...(kind === 'timeout' && { timeouts: { first_byte_ms: 1000, unary_ms: 1000 } }) });

const script = (name: string, ...steps: ScriptStep[]): void => provider.scriptFor(`sk-${name}`, ...steps);
const at = (name: string, own: string, more = {}): Candidate => candidate(provider, name, credential(`p/${own}`), more);
const askedModels = (): unknown[] => provider.requests.map(({ body }) => (body as { model: string }).model);
const run = (plan: Plan, o: { operation?: Operation; question?: Question; settings?: ReturnType<typeof settingsWith> } = {}): Promise<Answer> =>
  world.attempts.run(o.operation ?? operationOf(), o.question ?? chatQuestion(false), plan, o.settings ?? settingsWith());

const textOf = (given: Answer): Promise<string> | string => (given.kind === 'whole' ? given.reply.text : restOf(given));

async function restOf(given: Answer): Promise<string> {
  if (given.kind !== 'stream') throw new Error('not a stream');
  let text = '';
  try {
    for await (const piece of given.stream.all(given.head)) text += piece;
  } catch (error) {
    await given.finish(error as AttemptFailure);
    throw error;
  }
  await given.finish(null);
  return text;
}

test('the table has a row for every kind of failure, and the cases here all of those that a provider can cause', () => {
  expect(Object.keys(FAILURES).sort()).toEqual([...FAILURE_KINDS].sort());
  expect([...Object.keys(ROWS), 'blocked', 'cancelled'].sort()).toEqual([...FAILURE_KINDS].sort());
});

describe.each([false, true])('where the client wants a stream: %s', (stream) => {
  test.each(TABLE)('%s at first: another deployment takes over where it can help, and the client is told where it cannot', async (kind, { step, code, goesOn }) => {
    script('a', step);
    script('b', answer('From the other one.'));
    const operation = operationOf();
    const answered = run(planOf([at('one', 'a'), at('two', 'b')]), { operation, question: chatQuestion(stream), settings: settingsFor(kind) });
    const told = await answered.then(textOf, (error: { code: string }) => error.code);
    expect(told).toMatch(goesOn ? /other/ : new RegExp(`^${code}$`));
    const failed = { n: 1, deployment: 'p/one', outcome: 'error', errorCode: FAILURES[kind].code };
    expect(operation.attempts).toMatchObject(goesOn ? [failed, { n: 2, deployment: 'p/two', outcome: 'ok', errorCode: null }] : [failed]);
    expect(await world.reported()).toEqual([{ deployment: 'p/one', failure: kind }, ...(goesOn ? [{ deployment: 'p/two', failure: null }] : [])]);
    expect(world.admission.told.map(({ model, failure }) => [model, failure])).toEqual([['one', kind], ...(goesOn ? [['two', null]] : [])]);
  });

  test.each(TABLE)('%s at last: the client is told as the error table says', async (kind, { step, code, retryAfterMs }) => {
    script('a', status(500));
    script('b', step);
    const settings = settingsFor(kind);
    const mixed = code === 'provider_rate_limited' || code === 'model_not_found' ? 'upstream_error' : code;
    await expect(run(planOf([at('one', 'a'), at('two', 'b')]), { question: chatQuestion(stream), settings })).rejects.toMatchObject({ code: mixed });
    // What only holds when it is all there was.
    script('b', step, step);
    await expect(run(planOf([at('two', 'b')]), { question: chatQuestion(stream), settings })).rejects.toMatchObject({ code, ...(retryAfterMs !== undefined && { retryAfterMs }) });
    expect(askedModels().slice(2)).toEqual(FAILURES[kind].repeat ? ['two', 'two'] : ['two']);
  });
});

describe('in the middle of a stream', () => {
  const halfAnd = (data: string): Step => ({
    raw: { contentType: 'text/event-stream', body: [
      'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Half"},"finish_reason":null}]}\n\n',
      `data: ${data}\n\n`,
    ] },
  });
  const errorEvent = (code: string): Step => halfAnd(JSON.stringify({ error: { message: 'gone', code } }));
  test.each<[FailureKind, Step]>([
    ['rate', errorEvent('rate_limit_exceeded')],
    ['overloaded', errorEvent('server_error')],
    ['network', { ...answer('Half of an answer'), cutAfter: 1 }],
    ['timeout', { ...answer('Half of an answer'), hangAfter: 1 }],
    ['malformed', halfAnd('nonsense')],
  ])('%s ends it, is recorded and reported, and nobody takes over', async (kind, step) => {
    // The break comes when the head is out: an earlier one would be another one's turn.
    const { promise: headIsOut, resolve } = Promise.withResolvers<void>();
    script('a', { ...step, gate: (i) => (i === 1 ? headIsOut : undefined) });
    const operation = operationOf();
    const given = await run(planOf([at('one', 'a'), at('two', 'b')]), { operation, question: chatQuestion(true), settings: settingsWith({ timeouts: { idle_ms: 1500 } }) });
    resolve();
    await expect(restOf(given)).rejects.toMatchObject({ kind });
    expect(provider.requests).toHaveLength(1);
    expect(operation.attempts).toMatchObject([{ outcome: 'error', errorCode: FAILURES[kind].code, status: 200, usageSource: 'estimated' }]);
    expect(await world.reported()).toEqual([{ deployment: 'p/one', failure: kind }]);
    expect(world.admission.told).toMatchObject([{ model: 'one', failure: kind, usedTokens: expect.any(Number) }]);
    expect(world.view.forPlan(Date.now()).deployments.get('p/one')).toMatchObject({ inFlight: 0 });
  });

  test('the time of the whole operation ends it too, as a timeout', async () => {
    script('a', { ...answer('Half of an answer'), hangAfter: 1 });
    const given = await run(planOf([at('one', 'a'), at('two', 'b')]), { question: chatQuestion(true), settings: settingsWith({ timeouts: { total_ms: 1500 } }) });
    await expect(restOf(given)).rejects.toMatchObject({ kind: 'timeout' });
    expect(provider.requests).toHaveLength(1);
  });
});

describe('what is no provider’s fault', () => {
  test('an answer that a rule blocks ends the request, is paid for, and is tried nowhere else', async () => {
    script('a', answer('Something bad.'));
    const question = chatQuestion(false);
    const blocked: Question['exchange'] = (chosen) => ({ ...question.exchange(chosen), whole: (body) => ({ ...question.exchange(chosen).whole(body), blockedBy: 'deny:0' }) });
    const guarded: Question = { ...question, exchange: blocked };
    const operation = operationOf();
    await expect(run(planOf([at('one', 'a'), at('two', 'b')]), { operation, question: guarded })).rejects.toMatchObject({ code: 'content_policy_violation' });
    expect(operation.attempts).toMatchObject([{ outcome: 'cancelled', usageSource: 'upstream' }]);
    expect(await world.reported()).toEqual([]);
  });

  test('a client that leaves ends the call, and nobody else is asked', async () => {
    const operation = operationOf();
    script('a', () => {
      operation.abandon();
      return { hangAfter: 0 };
    });
    await expect(run(planOf([at('one', 'a'), at('two', 'b')]), { operation })).rejects.toMatchObject({ kind: 'cancelled' });
    expect(operation.attempts).toMatchObject([{ outcome: 'cancelled', errorCode: null, usage: { promptTokens: 7 } }]);
    expect(await world.reported()).toEqual([]);
    expect(world.admission.told).toMatchObject([{ model: 'one', failure: 'cancelled' }]);
  });
});

describe('what comes instead', () => {
  test.each([['contextWindow', 'context_length_exceeded'], ['contentPolicy', 'content_filter']] as const)('%s: those the plan names for it are asked, and answer', async (what, code) => {
    script('a', refusal(400, code));
    script('b', answer('I can.'));
    const instead = { contextWindow: [], contentPolicy: [], [what]: [at('larger', 'b')] };
    expect(await run(planOf([at('one', 'a'), at('two', 'a')], { instead }))).toMatchObject({ kind: 'whole', candidate: { upstreamModel: 'larger' } });
    expect(askedModels()).toEqual(['one', 'larger']);
  });

  test('is asked once: when it refuses for the same reason, the client is told', async () => {
    script('a', refusal(400, 'context_length_exceeded'));
    script('b', refusal(400, 'context_length_exceeded'));
    await expect(run(planOf([at('one', 'a')], { instead: { contextWindow: [at('larger', 'b')], contentPolicy: [] } }))).rejects.toMatchObject({ code: 'context_length_exceeded' });
    expect(askedModels()).toEqual(['one', 'larger']);
  });
});

describe('quotas', () => {
  test('a candidate whose quota is used up is passed by without an attempt, and every call that was made is told of with its headers', async () => {
    world.admission.refused.add('one');
    script('b', status(429, { 'x-ratelimit-remaining-requests': '0', 'retry-after': '3' }));
    script('a', { ...answer('Yes.'), headers: { 'x-ratelimit-remaining-requests': '9' } });
    const operation = operationOf();
    await run(planOf([at('one', 'a'), at('two', 'b'), at('three', 'a')]), { operation });
    expect(operation.attempts.map(({ model }) => model)).toEqual(['two', 'three']);
    expect(world.admission.told).toMatchObject([
      { model: 'two', failure: 'rate', retryAfterMs: 3000, headers: { 'x-ratelimit-remaining-requests': '0' }, usedTokens: null },
      { model: 'three', failure: null, headers: { 'x-ratelimit-remaining-requests': '9' }, usedTokens: expect.any(Number) },
    ]);
  });

  test('that are all used up are the provider’s limit to the client', async () => {
    world.admission.refused = new Set(['one', 'two']);
    await expect(run(planOf([at('one', 'a'), at('two', 'b')]))).rejects.toMatchObject({ code: 'provider_rate_limited', status: 429, retryAfterMs: 1000 });
    expect(provider.requests).toEqual([]);
  });

  test.each([
    [750, { retry: true, retryAfterMs: 750 }],
    [-1, { retry: false, retryAfterMs: null }],
  ])('the client is told when the first of them has room again, or that none ever has for this request (%j ms)', async (waitMs, told) => {
    world.admission.refused = new Set(['one']);
    world.admission.waits = waitMs;
    await expect(run(planOf([at('one', 'a')]))).rejects.toMatchObject({ code: 'provider_rate_limited', ...told });
  });
});

describe('credentials', () => {
  test('one that cannot be had is passed by, without an attempt, and the next is tried', async () => {
    script('a', answer('Yes.'));
    const operation = operationOf();
    expect(await run(planOf([at('one', 'unknown'), at('two', 'a')]), { operation })).toMatchObject({ candidate: { upstreamModel: 'two' } });
    expect(operation.attempts).toMatchObject([{ n: 1, model: 'two' }]);
  });

  test('only when none can be had, nobody is available', async () => {
    await expect(run(planOf([at('one', 'unknown')]))).rejects.toMatchObject({ code: 'no_deployment_available', status: 503 });
  });

  test('a rejected one is not asked again anywhere, its other value is', async () => {
    script('a', status(401));
    script('a2', answer('The former one.'));
    const former = candidate(provider, 'two', credential('p/a', { version: '2' }));
    await run(planOf([at('one', 'a'), at('two', 'a'), former]));
    expect(provider.requests.map((request) => request.credential)).toEqual(['sk-a', 'sk-a2']);
  });

  test('a 403, or a rate limit, may be of this model only', async () => {
    script('a', status(403), status(429), answer('Yes.'));
    await run(planOf([at('one', 'a'), at('two', 'a'), at('three', 'a')]));
    expect(askedModels()).toEqual(['one', 'two', 'three']);
  });

  test('one with an address of its own is used there', async () => {
    script('a', answer('Here.'));
    const own = credential('p/a', { baseUrl: provider.url });
    const { deployment } = candidate(provider, 'one', own, { baseUrl: 'http://127.0.0.1:1/v1', credentials: [own] });
    const models = [{ name: 'm', strategy: 'weighted' as const, deployments: [{ id: deployment.id, weight: 1, priority: 1 }], fallbacks: [] }];
    const planned = planRequest({ version: 1, issuedAtMs: 0, models, deployments: [deployment], settings: settingsWith({}) }, { model: 'm' }, { nowMs: 0, random: () => 0, maxAttempts: 1 });
    if ('refused' in planned) throw new Error(planned.refused);
    expect(await run(planned.plan)).toMatchObject({ kind: 'whole' });
  });
});

test('repeats begin when everybody was tried, wait in between, and stop with the attempts', async () => {
  const waits: number[] = [];
  await world.close();
  world = new AttemptWorld({ chances: { wait: async (ms) => void waits.push(ms), random: () => 0.5 } });
  script('a', status(500), status(500), status(500));
  script('b', status(500), status(500), status(500));
  await expect(run(planOf([at('one', 'a'), at('two', 'b')]), { settings: settingsWith({ retries: { backoff_ms: [100, 200] } }) })).rejects.toMatchObject({ code: 'upstream_error' });
  expect(askedModels()).toEqual(['one', 'two', 'one', 'two']);
  expect(waits).toEqual([150, 150]);
});

describe('the time of the operation', () => {
  test('a wait that does not fit into it ends the request with what was wrong', async () => {
    script('a', status(503));
    await expect(run(planOf([at('one', 'a')]), { settings: settingsWith({ retries: { backoff_ms: [200_000, 200_000] } }) })).rejects.toMatchObject({ code: 'upstream_error' });
    expect(provider.requests).toHaveLength(1);
  });

  test('when it is over, nobody is asked any more', async () => {
    await expect(run(planOf([at('one', 'a')]), { settings: settingsWith({ timeouts: { total_ms: 0 } }) })).rejects.toMatchObject({ code: 'upstream_timeout', status: 504 });
    expect(provider.requests).toEqual([]);
  });

  test('a call that begins when little of it is left is cut short, and its provider is not blamed', async () => {
    script('a', () => ({ hangAfter: 0 }));
    const operation = operationOf();
    Object.defineProperty(operation, 'elapsedMs', { value: 59_900 });
    await expect(run(planOf([at('one', 'a')]), { operation, settings: settingsWith({ retries: { max_attempts: 1 } }) })).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(operation.attempts).toMatchObject([{ outcome: 'error', errorCode: 'upstream_timeout' }]);
    expect(await world.reported()).toEqual([]);
  });
});
