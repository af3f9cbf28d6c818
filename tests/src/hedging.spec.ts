import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { usdText } from '@deja/contracts';
import type { ProviderRequest, Step } from '@deja/testing';
import { ChoiceStage, deploymentOf, says, type Served } from './choice-cluster.ts';
import { attemptRows, eventually, operationRow, type AttemptRow } from './client.ts';

/** Calls beside the one that answers: a second one when the first is slow, and copies for shadows. */
let stage: ChoiceStage;
beforeAll(async () => {
  stage = await ChoiceStage.open();
}, 60_000);
afterAll(() => stage?.close());

type Row = AttemptRow & { deployment: string; hedge: boolean; shadow: boolean; prompt_tokens: number | null; completion_tokens: number | null };
/** What the ledger says of the attempts of an operation, when there are so many. */
const rowsOf = (id: string | null, count: number): Promise<Row[]> => eventually(`${count} attempts of ${id}`, async () => {
  const rows = (await attemptRows(stage.cluster, id)) as Row[];
  return rows.length >= count ? rows : null;
});
const sum = (rows: Row[]): string => String(rows.reduce((total, { cost_nano_usd: cost }) => total + BigInt(cost ?? 0), 0n));
const seen = (deployment: string): ProviderRequest[] => stage.provider.requests.filter((request) => deploymentOf(request) === deployment);

const PRICE = { input_usd_per_million: 1, output_usd_per_million: 2 };
/** Longer than any usual call here, and shorter than any deadline. */
const SLOW_MS = 700;

describe('hedging', () => {
  /** Each test has deployments of its own. Of the first one it is known how long it takes: there were calls enough, under another name. */
  const use = async (upstream: string, hedge: object | null, stream = false): Promise<void> => {
    const [west, north] = ['west', 'north'].map((provider) => ({ provider, model: upstream }));
    await stage.use([{ name: 'm', strategy: 'priority', deployments: [west, north], ...(hedge && { hedge }) }, { name: 'unhedged', deployments: [west] }], { prices: { [upstream]: PRICE } });
    for (let n = 0; n < 25; n++) await stage.ask('unhedged', { stream });
  };
  const slowAt = (provider: string, more: Step = {}): void => stage.provider.otherwise(says((deployment) => (deployment.startsWith(`${provider}/`) ? { beforeFirstByteMs: SLOW_MS, ...more } : {})));

  test('is off unless a model asks for it: a slow first call is waited for', async () => {
    await use('patient', null);
    slowAt('west');
    expect(await stage.ask('m')).toMatchObject({ deployment: 'west/patient', calls: ['west/patient'] });
    expect(seen('north/patient')).toEqual([]);
  });

  test.each([['whole', false], ['streamed', true]])('a slow first call is overtaken by a second one elsewhere, and cancelled (%s)', async (form, stream) => {
    const upstream = `overtaken-${form}`;
    await use(upstream, { after: 'p95', max_share: 1 }, stream);
    // The first call never answers: what comes can only be the second one's.
    stage.provider.otherwise(says((deployment) => (deployment.startsWith('west/') ? { hangAfter: 0 } : {})));
    const served = await stage.ask('m', { stream });
    expect(served).toMatchObject({ model: 'm', deployment: `north/${upstream}`, calls: [`west/${upstream}`, `north/${upstream}`] });
    await stage.provider.waitFor(() => seen(`west/${upstream}`).at(-1)?.abortedAtMs !== null);

    const rows = await rowsOf(served.id, 2);
    expect(rows).toMatchObject([
      { n: 1, deployment: `west/${upstream}`, hedge: false, shadow: false, outcome: 'cancelled', status: null, error_code: null, usage_source: 'estimated', completion_tokens: 0 },
      { n: 2, deployment: `north/${upstream}`, hedge: true, shadow: false, outcome: 'ok', status: 200, usage_source: 'upstream' },
    ]);
    // Both are paid for: the one that was cancelled had the prompt.
    expect(rows[0]?.prompt_tokens).toBeGreaterThan(0);
    expect(await operationRow(stage.cluster, served.id)).toMatchObject({
      outcome: 'ok', usage_source: 'estimated', cost_nano_usd: sum(rows), prompt_tokens: rows.reduce((total, row) => total + Number(row.prompt_tokens), 0), completion_tokens: rows[1]?.completion_tokens,
    });
    expect(served.costUsd).toBe(stream ? null : usdText(BigInt(sum(rows))));
  });

  test('a second call that fails leaves the matter to the first', async () => {
    await use('lonely', { after: 'p50', max_share: 1 });
    // Answers a while after the second one was asked, however late that is.
    stage.provider.otherwise(says(async (deployment) => {
      if (!deployment.startsWith('west/')) return {};
      await stage.provider.waitFor(() => seen('north/lonely').length > 0);
      return { beforeFirstByteMs: SLOW_MS };
    }));
    stage.provider.scriptFor('sk-north-a', { status: 500 });
    const served = await stage.ask('m');
    expect(served).toMatchObject({ text: 'west/lonely', calls: ['west/lonely', 'north/lonely'] });
    expect(await rowsOf(served.id, 2)).toMatchObject([{ n: 1, hedge: false, outcome: 'ok' }, { n: 2, hedge: true, outcome: 'error', status: 500 }]);
  });

  test('no more requests than their share are hedged', async () => {
    await use('shared', { after: 'p50', max_share: 0.1 });
    slowAt('west');
    const served: Served[] = await Promise.all(Array.from({ length: 30 }, () => stage.ask('m')));
    const hedged = served.filter(({ calls }) => calls.length > 1).length;
    expect(hedged).toBeGreaterThan(0);
    expect(hedged).toBeLessThanOrEqual(Math.floor(0.1 * 30));
  });
});

describe('a shadow', () => {
  const use = (upstream: string, provider = 'shadow', shadow = 1): Promise<void> => stage.use([{ name: 'm', deployments: [{ provider: 'west', model: upstream }, { provider, model: upstream, shadow }] }], { prices: { [upstream]: PRICE } });
  const isCopied = (upstream: string): Promise<void> => stage.provider.waitFor(() => seen(`shadow/${upstream}`).length > 0);

  beforeEach(() => stage.provider.reset());

  test.each([['whole', false], ['streamed', true]])('gets a copy, whose answer is recorded, never returned and never billed (%s)', async (form, stream) => {
    const upstream = `copied-${form}`;
    await use(upstream);
    const served = await stage.ask('m', { stream, more: { temperature: 0.5 } });
    expect(served).toMatchObject({ deployment: `west/${upstream}`, calls: [`west/${upstream}`] });
    await isCopied(upstream);
    const copy = seen(`shadow/${upstream}`)[0]?.body as { stream?: boolean };
    expect([copy, copy.stream ?? false]).toMatchObject([{ model: upstream, temperature: 0.5 }, false]);
    const [shadow, own] = await rowsOf(served.id, 2);
    expect(shadow).toMatchObject({ n: 0, deployment: `shadow/${upstream}`, shadow: true, hedge: false, outcome: 'ok', status: 200, usage_source: 'upstream' });
    expect(own).toMatchObject({ n: 1, deployment: `west/${upstream}`, shadow: false });
    expect([shadow, own].map((row) => Number(row?.cost_nano_usd) > 0)).toEqual([true, true]);
    expect(await operationRow(stage.cluster, served.id)).toMatchObject({ cost_nano_usd: own?.cost_nano_usd, prompt_tokens: own?.prompt_tokens, completion_tokens: own?.completion_tokens });
    expect(served.costUsd).toBe(stream ? null : usdText(BigInt(own?.cost_nano_usd ?? 0)));
  });

  test('that is slow delays nobody: the client has its answer while the copy still waits', async () => {
    await use('slow');
    const { promise, resolve } = Promise.withResolvers<Step>();
    stage.provider.scriptFor('sk-shadow-a', says(() => promise));
    const served = await stage.ask('m');
    await isCopied('slow');
    expect((await rowsOf(served.id, 1)).map(({ shadow }) => shadow)).toEqual([false]);
    resolve({});
    expect(await rowsOf(served.id, 2)).toMatchObject([{ n: 0, shadow: true, outcome: 'ok' }, { n: 1, shadow: false }]);
  });

  test.each<[string, Step, object, string?]>([
    ['rejects its credential', { status: 401 }, { outcome: 'error', status: 401 }, 'outcast'], // and is set aside from then on
    ['fails', { status: 500 }, { outcome: 'error', status: 500 }],
    ['breaks off', { cutAfter: 0 }, { outcome: 'error', status: null }],
    ['talks nonsense', { malformed: 'json' }, { outcome: 'error' }],
  ])('that %s harms nobody', async (what, step, row, provider = 'ghost') => {
    const upstream = `bad-${what.replace(/ .*/, '')}`;
    await use(upstream, provider);
    stage.provider.scriptFor(`sk-${provider}-a`, says(step));
    const served = await stage.ask('m');
    expect(served).toMatchObject({ deployment: `west/${upstream}`, calls: [`west/${upstream}`] });
    expect((await rowsOf(served.id, 2))[0]).toMatchObject({ n: 0, shadow: true, ...row });
    expect(await operationRow(stage.cluster, served.id)).toMatchObject({ status: 200, outcome: 'ok', error_code: null });
  });

  test('gets its share of the requests and no more', async () => {
    await use('half', 'shadow', 0.5);
    const counts = await stage.askOften(100, 'm');
    expect(counts).toEqual({ 'west/half': 100 });
    await eventually('every copy', () => stage.provider.inFlight === 0);
    // Five standard deviations to either side.
    expect(seen('shadow/half').length).toBeGreaterThan(25);
    expect(seen('shadow/half').length).toBeLessThan(75);
  });
});
