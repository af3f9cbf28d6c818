import { expect, test } from '@jest/globals';
import type { LedgerCall, LedgerOperation, ProviderCall } from './agreement.ts';
import type { ChangeProbe, Evidence, Fault, Try } from './evidence.ts';
import { LOWERED_LIMIT } from './probes.ts';
import { verdicts } from './promises.ts';
import { endOf } from './questions.ts';

const AT_MS = 1_800_000_000_000;

const request = (n: number, more: Partial<Try> = {}): Try => {
  const question = more.question ?? `w${n}`;
  const tenant = more.tenant ?? 'amber';
  return {
    mark: `m${n}`, t: 0, asker: 'whole', tenant, question, stream: false, gateway: 0, startMs: AT_MS + n * 1000, endMs: AT_MS + n * 1000 + 100, status: 200, requestId: `id-${n}`, cache: 'MISS', provider: 'a', errorCode: null,
    ended: 'whole', isComplete: false, text: `So. ${endOf(question, tenant)}`, why: null, ...more,
  };
};
const call = (question: string, more: Partial<ProviderCall> = {}): ProviderCall => ({ question, provider: 'a', status: 200, promptTokens: 10, cachedTokens: 0, completionTokens: 5, startMs: AT_MS, endMs: AT_MS + 50, finished: true, ...more });
const row = (n: number, more: Partial<LedgerOperation> = {}): LedgerOperation => ({ id: `id-${n}`, tenant: 'amber', mark: `m${n}.0`, question: `w${n}`, status: 200, outcome: 'ok', errorCode: null, cache: 'MISS', costNanoUsd: 15n, receivedMs: AT_MS + n * 1000, durationMs: 100, ...more });
const attempt = (n: number, more: Partial<LedgerCall> = {}): LedgerCall => ({ operation: `id-${n}`, question: `w${n}`, provider: 'a', status: 200, outcome: 'ok', usageSource: 'upstream', promptTokens: 10, cachedTokens: 0, completionTokens: 5, costNanoUsd: 15n, ...more });
const fault = (more: Partial<Fault>): Fault => ({ target: 'router', kind: 'kill', n: 1, startMs: AT_MS, endMs: AT_MS + 5000, wellMs: AT_MS + 6000, ...more });

/** A run in which all went well, but for what is said. */
const evidence = (more: Partial<Evidence> = {}): Evidence => ({
  fromMs: AT_MS, untilMs: AT_MS + 60_000, faults: [], tries: [request(1)], calls: [call('w1')], operations: [row(1)], attempts: [attempt(1)], rates: { input: 1_000_000n, cachedInput: 1_000_000n, output: 1_000_000n },
  changes: [], bad: [], notTaken: [], badAtProvider: 0, ceilings: [], alone: [], secretsFound: [], secretsSought: 1, left: { 'open operations': 0 }, notReady: [], memory: [], ...more,
});
const brokenRows = (more: Partial<Evidence>): (number | null)[] => verdicts(evidence(more)).filter(({ held }) => !held).map(({ row: n }) => n);
const alone = (one: Try): Partial<Evidence> => ({ tries: [one], operations: one.requestId === null ? [] : [row(1, { tenant: one.tenant, question: one.question })] });

const changed = (what: string, afterMs = 1200): ChangeProbe => ({ what, gateway: 1, startMs: AT_MS, endMs: AT_MS + 10, afterMs, found: 'old' });

test('a change has a second, and a lowered limit says nothing of a gateway that decides by itself', () => {
  const alone = [{ gateway: 1, fromMs: AT_MS + 5, untilMs: AT_MS + 500 }];
  expect(brokenRows({ changes: [changed(LOWERED_LIMIT, 999)] })).toEqual([]);
  expect(brokenRows({ changes: [changed(LOWERED_LIMIT)] })).toEqual([7]);
  expect(brokenRows({ changes: [changed(LOWERED_LIMIT)], alone })).toEqual([]);
  expect(brokenRows({ changes: [changed(LOWERED_LIMIT)], alone: [{ ...alone[0]!, gateway: 0 }] })).toEqual([7]);
  expect(brokenRows({ changes: [changed('a key that was disabled')], alone })).toEqual([7]);
});

test('all promises hold where all went well', () => {
  expect(brokenRows({})).toEqual([]);
  expect(brokenRows({ notTaken: [{ gateway: 0, atMs: AT_MS }], faults: [fault({ target: 'gateway', kind: 'restart', n: 2 })] })).toEqual([]);
});

test.each<[what: string, seen: Partial<Evidence>, row: number | null]>([
  ['an answer that another tenant had bought', { tries: [request(1, { text: endOf('w1', 'birch') })] }, 1],
  ['a row that is another tenant’s', { operations: [row(1, { tenant: 'birch' })] }, 1],
  ['a secret in Redis', { secretsFound: ['redis: admin key'] }, 2],
  ['two rows of one request', { operations: [row(1), row(1, { id: 'other' })], attempts: [attempt(1), attempt(1, { operation: 'other' })], calls: [call('w1'), call('w1')] }, 4],
  ['no row of an answered request', { operations: [], attempts: [], calls: [] }, 4],
  ['a row that nobody asked for', { tries: [] }, 4],
  ['a call of a provider that nobody recorded', { calls: [call('w1'), call('w1')] }, 4],
  ['a cost that is a nano-dollar off', { operations: [row(1, { costNanoUsd: 16n })], attempts: [attempt(1, { costNanoUsd: 16n })] }, 4],
  ['a 502', alone(request(1, { status: 502, errorCode: 'upstream_error', text: null })), 5],
  ['a limit of a provider that another one had not', alone(request(1, { status: 429, errorCode: 'provider_rate_limited', text: null })), 5],
  ['a limit that a client has none of', alone(request(1, { status: 429, errorCode: 'rate_limit_exceeded', text: null })), 5],
  ['a connection that broke while no gateway was killed', { tries: [request(1, { status: null, requestId: null, ended: 'broken', text: null })], faults: [fault({})] }, 5],
  ['a stream that was cut in calm', alone(request(1, { stream: true, text: null })), 5],
  ['a gateway that is ready and takes no connection', { notTaken: [{ gateway: 0, atMs: AT_MS }], faults: [fault({ target: 'gateway', n: 2 })] }, 5],
  ['a bad request that got a 500', { bad: [{ what: 'no JSON', gateway: 0, startMs: AT_MS, endMs: AT_MS + 1, status: 500, code: 'internal_error' }] }, 8],
  ['a bad request that was answered', { bad: [{ what: 'no JSON', gateway: 0, startMs: AT_MS, endMs: AT_MS + 1, status: 200, code: null }] }, 8],
  ['a bad request without an answer', { bad: [{ what: 'no JSON', gateway: 0, startMs: AT_MS, endMs: AT_MS + 1, status: null, code: null }] }, 8],
  ['a bad request that a provider saw', { badAtProvider: 1 }, 8],
  ['a change that is not heard of after a second', { changes: [changed('a key that was disabled')] }, 7],
  ['a place that nobody gives back', { left: { 'places of limits': 1 } }, null],
  ['an app that is not ready in the end', { notReady: ['router-2: not ready (503)'] }, null],
])('%s is a broken promise', (_what, seen, broken) => {
  expect(brokenRows(seen)).toContain(broken);
});

test('a request that fails while a gateway restarts breaks two promises', () => {
  expect(brokenRows({ ...alone(request(1, { status: 502, errorCode: 'upstream_error', text: null })), faults: [fault({ target: 'gateway', kind: 'restart' })] })).toEqual([5, 9]);
});

test('a cut stream that says it is complete, and one that comes out of a cache, break a promise', () => {
  expect(brokenRows({ tries: [request(1, { stream: true, isComplete: true, text: 'So. ' })] })).toEqual([1, 6]);
  expect(brokenRows({ tries: [request(1, { cache: 'HIT-EXACT', text: 'So. ' })] })).toEqual([1, 6]);
});

test('what was in flight on a killed gateway, and streams that their provider broke off, are counted apart; what another gateway had is not', () => {
  const broken = request(1, { status: null, requestId: null, ended: 'broken', text: null });
  const killed = fault({ target: 'gateway', kind: 'kill', startMs: broken.startMs + 50 });
  const none = { tries: [broken], operations: [], attempts: [], calls: [] };
  expect(brokenRows({ ...none, faults: [killed] })).toEqual([]);
  expect(brokenRows({ ...none, faults: [{ ...killed, n: 2 }] })).toEqual([5]);
  const cut = request(1, { stream: true, text: null });
  expect(brokenRows({ ...alone(cut), faults: [fault({ target: 'provider', kind: 'reset', startMs: cut.startMs + 50 })] })).toEqual([]);
  expect(brokenRows({ ...alone(cut), faults: [fault({ target: 'provider', kind: 'reset', n: 2, startMs: cut.startMs + 50 })] })).toEqual([5]);
});

/** So many requests, one each `everyMs`. */
const limited = (count: number, everyMs: number): Partial<Evidence> => {
  const all = Array.from({ length: count }, (_, n) => n);
  return {
    tries: all.map((n) => request(n, { tenant: 'limited', asker: 'limited' })), operations: all.map((n) => row(n, { tenant: 'limited', receivedMs: AT_MS + n * everyMs })), attempts: all.map((n) => attempt(n)), calls: all.map((n) => call(`w${n}`)),
    ceilings: [{ tenant: 'limited', kind: 'requests', perMinute: 10 }],
  };
};

test('more requests within a window than its limit break a promise, unless a gateway had to decide without Redis', () => {
  expect(brokenRows(limited(10, 1000))).toEqual([]);
  expect(brokenRows(limited(11, 7000))).toEqual([]);
  expect(brokenRows(limited(11, 1000))).toEqual([3]);
  expect(brokenRows({ ...limited(11, 1000), faults: [fault({ target: 'redis' })] })).toEqual([]);
  expect(brokenRows({ ...limited(11, 1000), alone: [{ gateway: 0, fromMs: AT_MS, untilMs: AT_MS + 500 }] })).toEqual([]);
  expect(brokenRows({ ...limited(21, 1000), faults: [fault({ target: 'redis' })] })).toEqual([3]);
});

test('a refusal before the limit was used up breaks a promise', () => {
  const refused = (after: number): Partial<Evidence> => {
    const some = limited(after, 1000);
    const one = request(99, { tenant: 'limited', asker: 'limited', status: 429, errorCode: 'rate_limit_exceeded', startMs: AT_MS + 20_000, endMs: AT_MS + 20_010, text: null });
    return { ...some, tries: [...(some.tries ?? []), one], operations: [...(some.operations ?? []), row(99, { tenant: 'limited', status: 429, errorCode: 'rate_limit_exceeded', outcome: 'error', costNanoUsd: 0n })] };
  };
  expect(brokenRows(refused(10))).toEqual([]);
  expect(brokenRows(refused(9))).toEqual([3]);
});

test('more at once than there are places, and more spent than a budget has, break a promise', () => {
  const [tries, operations, attempts] = [[1, 2].map((n) => request(n, { tenant: 'narrow', asker: 'narrow' })), [1, 2].map((n) => row(n, { tenant: 'narrow', receivedMs: AT_MS, durationMs: 1000 })), [1, 2].map((n) => attempt(n))];
  const at = (ms: number[]): Partial<Evidence> => ({ tries, operations, attempts, calls: ms.map((startMs, i) => call(`w${i + 1}`, { startMs: AT_MS + startMs })), ceilings: [{ tenant: 'narrow', kind: 'places', atOnce: 1 }] });
  expect(brokenRows(at([10, 20]))).toEqual([3]);
  expect(brokenRows(at([10, 999]))).toEqual([]);
  const spent = (nanoUsd: bigint): Partial<Evidence> => ({ ...at([10, 20]), ceilings: [{ tenant: 'narrow', kind: 'budget', nanoUsd }] });
  expect([brokenRows(spent(30n)), brokenRows(spent(29n))]).toEqual([[], [3]]);
});
