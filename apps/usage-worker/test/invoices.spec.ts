import { jest } from '@jest/globals';
import { usdText, type OperationRecord } from '@deja/contracts';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { orphanedRows, settledRows } from '../src/ledger/rows.ts';
import { Cleanup } from './infrastructure.ts';
import { hit, NOW, Questions } from './questions.ts';
import { attemptRecord, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(120_000);

const cleanup = new Cleanup();
let asked: Questions;

beforeAll(async () => {
  asked = await Questions.of(cleanup);
});
afterAll(() => cleanup.run());
beforeEach(() => asked.clear());

const acme = { tenant: 'acme' };
const price = attemptRecord().price!;

describe('an invoice', () => {
  test('has a line for each model, provider and price, and adds up', async () => {
    for (let i = 1; i <= 3; i += 1) await asked.received(NOW - i, acme);
    await asked.received(NOW - 4, { ...acme, model: 'claude', provider: 'anthropic', attempts: [attemptRecord({ price: { ...price, version: 'v2', output: 1_200_000_000 } })] });
    await asked.received(NOW - 5, { ...acme, ...hit });
    await asked.received(NOW - 6, { tenant: 'other' });
    expect(await asked.invoice({ tenant: 'acme', month: '2026-03' })).toEqual({
      object: 'invoice', tenant: 'acme', month: '2026-03', time_zone: 'UTC', from: '2026-03-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z', final: false,
      lines: [
        { model: 'claude', provider: 'anthropic', price_version: 'v2', requests: 1, prompt_tokens: 1000, cached_tokens: 400, cache_write_tokens: 0, completion_tokens: 500, reasoning_tokens: 200, cost_usd: '0.00072', unpriced_requests: 0 },
        { model: 'gpt-4o-mini', provider: 'openai', price_version: price.version, requests: 4, prompt_tokens: 3000, cached_tokens: 1200, cache_write_tokens: 0, completion_tokens: 1500, reasoning_tokens: 600, cost_usd: '0.00126', unpriced_requests: 0 },
      ],
      requests: 5, cost_usd: '0.00198', saved_usd: '0.00042', unpriced_requests: 0,
    });
  });

  test('has lost requests and those of unknown price in lines of their own, counted and not priced at 0', async () => {
    await asked.received(NOW - 1, { ...acme, attempts: [attemptRecord({ price: null })] });
    const orphans = [null, '18'].map((estimatedCostNanoUsd, i) => orphanedRows(openOperation({ ...acme, id: v7({ msecs: NOW - 10 - i }), receivedAtMs: NOW - 10 - i, estimatedCostNanoUsd })));
    await asked.ledger.insert({ rows: orphans, late: [], rejected: [] });
    const { lines, cost_usd: cost, unpriced_requests: unpriced } = await asked.invoice({ tenant: 'acme', month: '2026-03' });
    expect([cost, unpriced]).toEqual(['0.000000018', 2]);
    expect(lines.map(({ model, price_version: version, requests, cost_usd: lineCost, unpriced_requests: lineUnpriced }) => [model, version, requests, lineCost, lineUnpriced])).toEqual([['gpt-4o-mini', null, 1, null, 1], [null, null, 2, '0.000000018', 1]]);
  });

  test('bills a request that needed two providers at two prices once, with the cost of both, at the price of the one that served', async () => {
    const failed = attemptRecord({ outcome: 'error', status: 500, provider: 'azure', price: { ...price, version: 'azure-1' } });
    await asked.received(NOW - 1, { ...acme, attempts: [failed, attemptRecord({ n: 2, price: { ...price, version: 'openai-2' } })] });
    const { lines } = await asked.invoice({ tenant: 'acme', month: '2026-03' });
    expect(lines).toMatchObject([{ provider: 'openai', price_version: 'openai-2', requests: 1, cost_usd: '0.00084' }]);
  });

  test('takes back the estimate of a lost request when its record turns up after all', async () => {
    const id = v7({ msecs: NOW - 5 });
    await asked.ledger.insert({ rows: [orphanedRows(openOperation({ ...acme, id, receivedAtMs: NOW - 5, estimatedCostNanoUsd: '18' }))], late: [], rejected: [] });
    await asked.ledger.insert({ rows: [settledRows(operationRecord({ ...acme, id, receivedAtMs: NOW - 5 }))], late: [], rejected: [] });
    expect(await asked.invoice({ tenant: 'acme', month: '2026-03' })).toMatchObject({ requests: 1, cost_usd: '0.00042', lines: [{ model: 'gpt-4o-mini' }] });
  });

  test.each([
    ['UTC', '2026-03-01T00:00:00.000Z', '2026-04-01T00:00:00.000Z'],
    ['Europe/Zurich', '2026-02-28T23:00:00.000Z', '2026-03-31T22:00:00.000Z'],
    ['America/New_York', '2026-03-01T05:00:00.000Z', '2026-04-01T04:00:00.000Z'],
    ['Asia/Kathmandu', '2026-02-28T18:15:00.000Z', '2026-03-31T18:15:00.000Z'],
  ])('in %s has the month from its first millisecond to its last', async (zone, from, to) => {
    const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
    for (const ms of [fromMs - 1, fromMs, toMs - 1, toMs]) await asked.received(ms, acme);
    const query = { tenant: 'acme', time_zone: zone };
    const late = { nowMs: toMs + 86_400_000 };
    expect(await asked.invoice({ ...query, month: '2026-03' }, late)).toMatchObject({ from, to, requests: 2, cost_usd: '0.00084', final: true });
    expect(await asked.invoice({ ...query, month: '2026-02' }, late)).toMatchObject({ requests: 1 });
    expect(await asked.invoice({ ...query, month: '2026-04' }, late)).toMatchObject({ requests: 1, final: false });
  });

  test('is final a day after its month: until then what was received in it may arrive', async () => {
    const end = Date.UTC(2026, 3, 1);
    const final = async (nowMs: number): Promise<boolean> => (await asked.invoice({ tenant: 'acme', month: '2026-03' }, { nowMs })).final;
    expect([await final(end - 1), await final(end + 86_399_999), await final(end + 86_400_000)]).toEqual([false, false, true]);
  });

  test('of a tenant that used nothing has no lines', async () => {
    expect(await asked.invoice({ tenant: 'nobody', month: '2026-03' })).toMatchObject({ lines: [], requests: 0, cost_usd: '0', saved_usd: '0' });
  });

  test('of another tenant has nothing for the token of one', async () => {
    await asked.received(NOW - 1, { tenant: 'other' });
    expect(await asked.invoice({ tenant: 'other', month: '2026-03' }, { scope: 'acme' })).toMatchObject({ lines: [], requests: 0 });
  });

  test.each([
    [{ month: '2026-03' }, 'tenant'],
    [{ tenant: 'acme' }, 'month'],
    [{ tenant: 'acme', month: '2026-13' }, 'month'],
    [{ tenant: 'acme', month: '0000-01' }, 'month'],
    [{ tenant: 'acme', month: '2026-05' }, 'month'],
    [{ tenant: 'acme', month: '9999-12' }, 'month'],
    [{ tenant: 'acme', month: '2026-03', time_zone: 'Mars' }, 'time_zone'],
    [{ tenant: 'acme', month: '2026-03', user: 'ann' }, 'user'],
  ] as [Record<string, string>, string][])('of %j is refused with a 400 that names the parameter', async (query, param) => {
    await expect(asked.ask('getInvoice', query)).rejects.toMatchObject({ code: 'invalid_value', param });
  });

  test('is the sum of its rows to the nano-dollar, whatever happened, in any zone', async () => {
    const record: fc.Arbitrary<Partial<OperationRecord>> = fc.record({
      receivedAtMs: fc.integer({ min: Date.UTC(2026, 1, 27), max: NOW }),
      model: fc.option(fc.constantFrom('a', 'b')),
      provider: fc.constantFrom('openai', 'azure'),
      attempts: fc.array(fc.record({ price: fc.option(fc.record({ ...Object.fromEntries(Object.entries(price).map(([name, value]) => [name, fc.constant(value)])), version: fc.constantFrom('v1', 'v2'), input: fc.integer({ min: 0, max: 1e9 }) }) as fc.Arbitrary<typeof price>), shadow: fc.boolean() }).map(attemptRecord), { maxLength: 3 }),
    });
    const records = fc.sample(record, { seed: 4, numRuns: 400 }).map((over) => settledRows(operationRecord({ ...over, ...acme, id: v7({ msecs: over.receivedAtMs! }) })));
    await asked.ledger.insert({ rows: records, late: [], rejected: [] });
    for (const zone of ['UTC', 'Europe/Zurich', 'Asia/Kathmandu', 'Pacific/Apia']) {
      const found = await asked.invoice({ tenant: 'acme', month: '2026-03', time_zone: zone });
      const { rows: [sum] } = await asked.pool.query<{ requests: string; cost: string }>(
        `select count(*) as requests, sum(cost_nano_usd) as cost from usage.operations where tenant = 'acme' and to_char(received_at at time zone $1, 'YYYY-MM') = '2026-03'`, [zone],
      );
      expect([found.requests, found.cost_usd]).toEqual([Number(sum?.requests), usdText(BigInt(sum!.cost))]);
      expect(found.lines.reduce((all, { cost_usd: cost }) => all + Math.round(Number(cost) * 1e9), 0)).toBe(Number(sum?.cost));
    }
  });
});
