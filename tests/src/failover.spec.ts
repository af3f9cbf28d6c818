import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { chunks, hang, status, type Step } from '@deja/testing';
import { chat, eventually, post, type Raw } from './client.ts';
import { FaultyCluster, HEALTHY, WELL, type FaultyModel, type PoolState } from './faults-cluster.ts';
import { TIMES } from './faults-table.ts';

const MODELS: FaultyModel[] = [
  { name: 'plain', providers: ['plain'] },
  { name: 'bigger', providers: ['bigger'] },
  { name: 'laxer', providers: ['laxer'] },
  { name: 'both-lists', providers: ['both-lists'], more: { fallbacks: ['plain'], fallbacks_on: { context_window: ['bigger'], content_policy: ['laxer'] } } },
  { name: 'one-list', providers: ['one-list'], more: { fallbacks: ['plain'], fallbacks_on: { context_window: ['bigger'] } } },
  { name: 'no-list', providers: ['no-list'], more: { fallbacks: ['plain'] } },
  { name: 'too-long-everywhere', providers: ['too-long-1'], more: { fallbacks_on: { context_window: ['too-long-2'] } } },
  { name: 'too-long-2', providers: ['too-long-2'] },
  { name: 'down-there-too', providers: ['too-long-3'], more: { fallbacks_on: { context_window: ['down'] } } },
  { name: 'down', providers: ['down'] },
  { name: 'fallen', providers: ['fallen-1'], more: { fallbacks: ['fallen-2', 'plain'] } },
  { name: 'fallen-2', providers: ['fallen-2'] },
  { name: 'limited', providers: ['limited-1', 'limited-2'] },
  { name: 'limited-or-down', providers: ['limited-3', 'dead-1'] },
  { name: 'without-money', providers: ['without-money'] },
  { name: 'locked', providers: ['locked'] },
  { name: 'forbidden', providers: ['forbidden'] },
  { name: 'dead', providers: ['dead-2'] },
  { name: 'pinned', providers: ['account-1', 'account-2'] },
  { name: 'late', providers: ['late', HEALTHY] },
  { name: 'recovering', providers: ['recovering', HEALTHY] },
  { name: 'endless', providers: ['endless', HEALTHY] },
];

const DOWN = status(500);
const limited = (retryAfterS: number): Step => status(429, { 'retry-after': String(retryAfterS) });
const refusing = (code: string): Step => status(400, {}, { error: { message: 'No.', type: 'invalid_request_error', param: 'messages', code } });
const TOO_LONG = refusing('context_length_exceeded');
const FILTERED = refusing('content_filter');

let faulty: FaultyCluster;

beforeAll(async () => {
  faulty = await FaultyCluster.start(MODELS);
}, 60_000);
afterAll(() => faulty?.stop());

let questions = 0;
const askRaw = (model: string, more: object = {}): Promise<Raw> => post(faulty.cluster, chat(`Question ${++questions} for ${model}.`, { model, ...more }));
const told = ({ status: code, json, headers }: Raw): object => ({ status: code, code: json.error?.code, attempts: headers.get('x-deja-attempts') });
const waitS = ({ headers }: Raw): number => Number(headers.get('retry-after'));
/** What the pool knows of a healthy deployment, but for this. */
const healthy = (state: Partial<PoolState>): PoolState => ({ calls: 0, failures: 0, trouble: null, credential: null, pauses: [], ...state });
/** Where pauses are no matter. */
const NOW = { fromMs: 0, toMs: 0 };

describe.each([['whole', {}], ['streamed', { stream: true }]])('who is asked in place of a model (%s)', (_, form) => {
  afterEach(() => ['both-lists', 'one-list', 'no-list', 'too-long-1', 'too-long-2', 'too-long-3', 'down', 'fallen-1', 'fallen-2', 'bigger'].forEach((name) => faulty.tell(name)));

  test.each([['a prompt that is too long', TOO_LONG, 'bigger'], ['a prompt that the provider’s filter refuses', FILTERED, 'laxer']])('after %s, those that deja.yaml names for it', async (__, refusal, model) => {
    faulty.tell('both-lists', refusal);
    const { status: code, text, headers } = await askRaw('both-lists', form);
    expect([code, headers.get('x-deja-model'), headers.get('x-deja-provider'), headers.get('x-deja-attempts')]).toEqual([200, model, model, '2']);
    expect(text).toContain('well');
  });

  test.each([['a prompt that is too long', 'no-list', TOO_LONG, 'context_length_exceeded'], ['a prompt that the provider’s filter refuses', 'no-list', FILTERED, 'content_policy_violation'], ['a prompt that the filter refuses where only a too long one has a list', 'one-list', FILTERED, 'content_policy_violation']])(
    'after %s, nobody where nobody is named for it, whatever other fallbacks there are',
    async (__, model, refusal, code) => {
      faulty.tell(model, refusal);
      const reply = await askRaw(model, form);
      expect(told(reply)).toEqual({ status: 400, code, attempts: '1' });
      expect(reply.json.error).toMatchObject({ message: 'No.', param: 'messages' });
    },
  );

  test('where the prompt is too long for those as well, the client is told that', async () => {
    faulty.tell('too-long-1', TOO_LONG);
    faulty.tell('too-long-2', TOO_LONG);
    expect(told(await askRaw('too-long-everywhere', form))).toEqual({ status: 400, code: 'context_length_exceeded', attempts: '2' });
  });

  test('after every deployment has failed, the fallback models in their order', async () => {
    faulty.tell('fallen-1', limited(1));
    faulty.tell('fallen-2', limited(1));
    const { status: code, text, headers } = await askRaw('fallen', form);
    expect([code, headers.get('x-deja-model')]).toEqual([200, 'plain']);
    expect(text).toContain('well');
  });
});

test('where those who are asked in its place fail, the client is told why they could not help', async () => {
  faulty.tell('too-long-3', TOO_LONG);
  faulty.tell('down', DOWN);
  expect(told(await askRaw('down-there-too'))).toEqual({ status: 502, code: 'upstream_error', attempts: String(TIMES.attempts) });
});

describe('when nobody is left', () => {
  test('rate-limited everywhere is 429 with the shortest wait, and as long as it lasts nobody is called', async () => {
    faulty.tell('limited-1', limited(40));
    faulty.tell('limited-2', limited(25));
    const first = await askRaw('limited');
    expect(told(first)).toEqual({ status: 429, code: 'provider_rate_limited', attempts: '2' });
    expect(waitS(first)).toBe(25);
    const again = await askRaw('limited');
    expect(told(again)).toEqual({ status: 429, code: 'provider_rate_limited', attempts: '0' });
    expect([again.headers.get('x-should-retry'), waitS(again) > 0 && waitS(again) <= 25]).toEqual(['true', true]);
    expect([faulty.calls('limited-1'), faulty.calls('limited-2')]).toEqual([1, 1]);
  });

  test('rate-limited here and down there is 502', async () => {
    faulty.tell('limited-3', limited(40));
    faulty.tell('dead-1', DOWN);
    expect(told(await askRaw('limited-or-down'))).toMatchObject({ status: 502, code: 'upstream_error' });
  });

  test('an account without money is 429 with a wait of minutes, from the first request on', async () => {
    faulty.tell('without-money', status(402));
    const first = await askRaw('without-money');
    expect([told(first), waitS(first) > 180]).toEqual([{ status: 429, code: 'provider_rate_limited', attempts: '1' }, true]);
    const again = await eventually('the pool’s wait', async () => {
      const reply = await askRaw('without-money');
      return waitS(reply) > 180 && reply;
    });
    expect(told(again)).toEqual({ status: 429, code: 'provider_rate_limited', attempts: '0' });
    expect(faulty.calls('without-money')).toBe(1);
  });

  test('a credential that is rejected is 502 once; then it is set aside, and the answer is 503 with the wait', async () => {
    faulty.tell('locked', status(401));
    expect(told(await askRaw('locked'))).toEqual({ status: 502, code: 'upstream_error', attempts: '1' });
    const again = await askRaw('locked');
    expect(told(again)).toEqual({ status: 503, code: 'no_deployment_available', attempts: '0' });
    expect([again.headers.get('x-should-retry'), waitS(again) > 0]).toEqual(['true', true]);
    await eventually('the list of credentials to say so', async () => {
      const { data } = await faulty.admin<{ data: { provider: string; health: string; trouble: string | null }[] }>('credentials?limit=1000');
      return data.some(({ provider, health, trouble }) => provider === 'locked' && health === 'out' && trouble === 'rejected');
    });
  });

  test('one 403 may be about the model; a credential that gets nothing else is set aside', async () => {
    faulty.tell('forbidden', status(403));
    for (let i = 0; i < 5; i++) expect(told(await askRaw('forbidden'))).toEqual({ status: 502, code: 'upstream_error', attempts: '1' });
    expect(await faulty.pool('forbidden', healthy({ credential: 'forbidden', pauses: [] }), NOW)).toMatchObject({ credential: 'forbidden', trouble: null, calls: 0 });
    expect(told(await eventually('a plan without it', async () => {
      const reply = await askRaw('forbidden');
      return reply.status === 503 && reply;
    }))).toEqual({ status: 503, code: 'no_deployment_available', attempts: '0' });
  });

  test('a dead deployment without another is not set aside, but not called more often for being dead; when it is back, it serves', async () => {
    faulty.tell('dead-2', DOWN);
    const fromMs = Date.now();
    for (let wave = 0; wave < 4; wave++) {
      const replies = await Promise.all(Array.from({ length: 25 }, () => askRaw('dead')));
      expect(new Set(replies.map(({ status: code, json }) => `${code} ${json.error?.code}`))).toEqual(new Set(['502 upstream_error']));
    }
    // apps/gateway/src/attempt/retry-budget.ts: 20 repeats at first, 3 a second, and a fifth of the requests; without it there would be 300 calls.
    const seconds = (Date.now() - fromMs) / 1000;
    expect(faulty.calls('dead-2')).toBeLessThanOrEqual(100 + 20 + 3 * seconds + 20);
    const calls = faulty.calls('dead-2');
    expect(await faulty.pool('dead-2', healthy({ calls, failures: calls, trouble: 'failing' }), NOW)).toMatchObject({ calls, failures: calls, trouble: 'failing' });
    faulty.tell('dead-2');
    expect((await askRaw('dead')).status).toBe(200);
  });

  test('what refers to an account that is rate-limited waits for it: 429, not 503, and no other account is asked', async () => {
    const respond = (more: object): Promise<Raw> => post(faulty.cluster, { model: 'pinned', input: `Remember number ${++questions}.`, ...more }, {}, '/v1/responses');
    const { id } = (await respond({})).json;
    faulty.tell('account-1', limited(30));
    const first = await respond({ previous_response_id: id });
    expect([told(first), waitS(first)]).toEqual([{ status: 429, code: 'provider_rate_limited', attempts: '1' }, 30]);
    const again = await respond({ previous_response_id: id });
    expect([told(again), waitS(again) > 0 && waitS(again) <= 30]).toEqual([{ status: 429, code: 'provider_rate_limited', attempts: '0' }, true]);
    expect(faulty.calls('account-2')).toBe(0);
    // Whatever refers to nothing goes to the other one.
    expect((await respond({})).headers.get('x-deja-provider')).toBe('account-2');
  });
});

describe('a breaker with short pauses', () => {
  beforeAll(() => faulty.configure({ breaker: { min_failures: TIMES.attempts, pause_ms: [1000, 2000] } }));

  test('a deployment that failed so often is passed by while another serves, and is back as soon as it answers again', async () => {
    const servedBy = async (): Promise<string | null> => (await askRaw('recovering')).headers.get('x-deja-provider');
    faulty.tell('recovering', DOWN);
    for (let i = 0; i < TIMES.attempts; i++) expect(await servedBy()).toBe(HEALTHY);
    await eventually('a plan without it', async () => (await askRaw('recovering')).headers.get('x-deja-attempts') === '1');
    faulty.tell('recovering');
    await eventually('it to be back', async () => (await servedBy()) === 'recovering');
    expect(await faulty.pool('recovering', healthy({ calls: 1 }), NOW)).toMatchObject({ trouble: null, credential: null, failures: 0 });
  });
});

describe('when the time of a request is over', () => {
  beforeAll(() => faulty.configure({ timeouts: { unary_ms: 30_000, first_byte_ms: 30_000, idle_ms: 30_000, total_ms: 1000 } }));

  test.each([['whole', {}], ['streamed', { stream: true }]])('before any answer (%s) it is 504, and nobody else is asked', async (_, form) => {
    faulty.tell('late', hang());
    expect(told(await askRaw('late', form))).toEqual({ status: 504, code: 'upstream_timeout', attempts: '1' });
  });

  test('in the middle of a stream it ends with an error event, without [DONE]', async () => {
    faulty.tell('endless', chunks(Array.from({ length: 1000 }, () => 'on and '), { chunkDelayMs: 20 }));
    // On a slow machine it may be over before it begins.
    const { status: code, text, headers } = await eventually('a stream that begins', async () => {
      const one = await askRaw('endless', { stream: true });
      return one.status !== 504 && one;
    });
    expect([code, headers.get('x-deja-provider')]).toEqual([200, 'endless']);
    expect(JSON.parse(text.trimEnd().split('\n\n').at(-1)!.replace('data: ', ''))).toMatchObject({ error: { type: 'api_error', code: 'upstream_timeout' } });
    expect(text).not.toMatch(new RegExp(String.raw`\[DONE\]|${WELL}`));
  });
});
