import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId, type OpenOperation } from '@deja/contracts';
import { runScript } from '@deja/redis';
import { RedisProcess } from '@deja/testing';
import { ceilingsFor, rateLimitHeaders } from './ceilings.ts';
import { Reserver, type ReserveRequest } from './reserve.ts';
import type { Ceiling } from './window.ts';

let server: RedisProcess;
let reserver: Reserver;
let counters = 0;

beforeAll(async () => {
  server = await RedisProcess.start();
  reserver = new Reserver(server.client, server.client, 'gateway-a', () => 2);
});
afterAll(() => server.stop());

const open = (): OpenOperation => ({
  kind: 'open', id: newId(), tenant: 't', key: 'k', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'm', stream: false, receivedAtMs: Date.now(), estimatedPromptTokens: 1, traceId: null,
});
const ceiling = (limits: Partial<Ceiling>): Ceiling => ({ scope: 'key', counter: `deja:limit:{t}:${counters++}`, requestsPerMinute: null, tokensPerMinute: null, ...limits });
const request = (ceilings: Ceiling[][], tokens = 10): ReserveRequest => ({ open: open(), ceilings, tokens, exactKeys: [], presenceKey: null });
const refusal = expect.objectContaining({ code: 'rate_limit_exceeded' });

describe('limits', () => {
  test('two replicas together admit exactly the limit, and refuse nothing before it is used up', async () => {
    const second = server.client.duplicate();
    await second.connect();
    const replicas = [reserver, new Reserver(second, second, 'gateway-b', () => 2)];
    const limit = ceiling({ requestsPerMinute: 100 });
    const results = await Promise.allSettled(Array.from({ length: 300 }, (_, i) => replicas[i % 2]!.reserve(request([[limit]]), 'closed')));
    expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(100);
    second.disconnect();
  });

  test('when one limit refuses, none is charged: neither in its own shard nor in another', async () => {
    const wide = ceiling({ requestsPerMinute: 100, tokensPerMinute: 1000 });
    const narrow = ceiling({ requestsPerMinute: 0 });
    const elsewhere = ceiling({ scope: 'global', counter: 'deja:limit:{global}', requestsPerMinute: 100 });
    await expect(reserver.reserve(request([[wide, narrow], [elsewhere]]), 'closed')).rejects.toEqual(refusal);
    const { reservation } = await reserver.reserve(request([[wide], [elsewhere]]), 'closed');
    expect(reservation.states).toMatchObject([{ usedRequests: 1, usedTokens: 10 }, { usedRequests: 1 }]);
  });

  test('tokens are reserved, and what was not used is given back', async () => {
    const limit = ceiling({ tokensPerMinute: 1000 });
    const first = await reserver.reserve(request([[limit]], 900), 'closed');
    await expect(reserver.reserve(request([[limit]], 200), 'closed')).rejects.toEqual(refusal);
    for (const { script, keys, args } of reserver.corrections(first.reservation, { tokens: 100 - 900 })) await runScript(server.client, script, keys, args);
    expect((await reserver.reserve(request([[limit]], 900), 'closed')).reservation.states[0]).toMatchObject({ usedTokens: 1000 });
  });

  test('a second whose requests used no tokens in the end leaves the window like any other', async () => {
    const limit = ceiling({ requestsPerMinute: 2, tokensPerMinute: 1000 });
    const [seconds] = await server.client.time();
    const old = Number(seconds) - 65;
    await server.client.hset(limit.counter, { h: old, R: 2, T: 0, [`r:${old}`]: 2, [`t:${old}`]: 0 });
    const { degraded, reservation } = await reserver.reserve(request([[limit]]), 'closed');
    expect([degraded, reservation.states[0]]).toMatchObject([false, { usedRequests: 1, usedTokens: 10 }]);
  });

  test('a request that can never fit says so, one that can says when', async () => {
    const limit = ceiling({ tokensPerMinute: 100 });
    await expect(reserver.reserve(request([[limit]], 101), 'closed')).rejects.toMatchObject({ type: 'tokens', retry: false, retryAfterMs: null });
    await reserver.reserve(request([[limit]], 60), 'closed');
    const error = await reserver.reserve(request([[limit]], 60), 'closed').then(() => null, (e: { retryAfterMs: number }) => e);
    expect(error?.retryAfterMs).toBeGreaterThan(55_000);
    expect(error?.retryAfterMs).toBeLessThanOrEqual(61_000);
  });

  test('a bucket that left the window no longer counts', async () => {
    const limit = ceiling({ requestsPerMinute: 1 });
    await reserver.reserve(request([[limit]]), 'closed');
    const [second] = (await server.client.hkeys(limit.counter)).filter((field) => field.startsWith('r:')).map((field) => Number(field.slice(2)));
    // The same bucket, as if it had been made a window ago.
    await server.client.multi().hdel(limit.counter, `r:${second}`, `t:${second}`).hset(limit.counter, { [`r:${second! - 61}`]: 1, [`t:${second! - 61}`]: 10, h: second! - 61 }).exec();
    expect((await reserver.reserve(request([[limit]]), 'closed')).reservation.states[0]).toMatchObject({ usedRequests: 1, usedTokens: 10 });
  });

  test('the opening is in Redis before the answer, and the exact entry and the semantic mark come along', async () => {
    await server.client.set('exact', Buffer.from('entry'));
    await server.client.set('present', '1');
    const asked = { ...request([]), exactKeys: ['exact', 'other'], presenceKey: 'present' };
    expect(await reserver.reserve(asked, 'closed')).toMatchObject({ exact: [Buffer.from('entry'), null], semanticPresent: true, degraded: false });
    expect(JSON.parse((await server.client.hget('deja:ops:{gateway-a}:open', asked.open.id))!)).toMatchObject({ kind: 'open', tenant: 't' });
    expect(await reserver.reserve({ ...request([]), exactKeys: ['none'], presenceKey: 'none' }, 'closed')).toMatchObject({ exact: [null], semanticPresent: false });
  });

  test('a Redis that forgot the scripts is taught them again', async () => {
    const limit = ceiling({ requestsPerMinute: 2 });
    await server.client.script('FLUSH');
    await reserver.reserve(request([[limit]]), 'closed');
    await server.client.script('FLUSH');
    await reserver.reserve(request([[limit]]), 'closed');
    await expect(reserver.reserve(request([[limit]]), 'closed')).rejects.toEqual(refusal);
  });

  test('headers tell the tightest limit of each kind', () => {
    const states = [
      { ceiling: ceiling({ requestsPerMinute: 100, tokensPerMinute: 1000 }), usedRequests: 10, usedTokens: 990 },
      { ceiling: ceiling({ requestsPerMinute: 50 }), usedRequests: 49, usedTokens: 5 },
    ];
    expect(rateLimitHeaders(states)).toEqual({
      'x-ratelimit-limit-requests': '50', 'x-ratelimit-remaining-requests': '1', 'x-ratelimit-reset-requests': '1m0s',
      'x-ratelimit-limit-tokens': '1000', 'x-ratelimit-remaining-tokens': '10', 'x-ratelimit-reset-tokens': '1m0s',
    });
  });

  test('a key’s own limit stands in place of the general one; a limit of nobody is not counted', () => {
    const limits = { global: {}, per_key: { requests_per_minute: 5, tokens_per_minute: 7 }, per_user: { requests_per_minute: 1 }, degraded: 'open' as const };
    const principal = { tenant: 'acme', key: 'k1', models: null, expiresAtMs: null, limits: { tenant: {}, key: { requests_per_minute: 50 }, perUser: {} } };
    expect(ceilingsFor(principal, null, limits)).toEqual([[expect.objectContaining({ scope: 'key', requestsPerMinute: 50, tokensPerMinute: 7 })]]);
    expect(ceilingsFor(principal, 'ann', limits)[0]).toHaveLength(2);
  });
});

describe('limits without Redis', () => {
  test('open admits, closed refuses what has a limit, local_share admits this replica’s part', async () => {
    const own = await RedisProcess.start();
    const lonely = new Reserver(own.client, own.client, 'gateway-a', () => 2);
    await own.kill();
    const limit = ceiling({ requestsPerMinute: 10 });
    const admitted = async (mode: 'open' | 'closed' | 'local_share'): Promise<number> => {
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => lonely.reserve(request([[limit]]), mode)));
      return results.filter((r) => r.status === 'fulfilled' && r.value.degraded).length;
    };
    expect(await admitted('open')).toBe(20);
    expect(await admitted('closed')).toBe(0);
    expect(await admitted('local_share')).toBe(5);
    expect(await lonely.reserve(request([]), 'closed')).toMatchObject({ degraded: true });
    await own.stop();
  });
});
