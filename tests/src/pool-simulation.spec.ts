import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, testCluster, type FakeProvider, type FakeQuotaRule, type ProviderRequest, type ScriptStep, type Step, type TestCluster } from '@deja/testing';
import { ask, eventually } from './client.ts';

/** What nobody but the provider knows: requests of each credential in a window. */
const HIDDEN = [10, 20, 30, 40, 50];
const TOTAL = HIDDEN.reduce((sum, quota) => sum + quota, 0);
const WINDOW_MS = 4000;
/** So many whole windows teach what there is; so many after them are measured. */
const WARM_UP = 2;
const MEASURED = 4;
const DEMAND = 1.3;
const STYLES = ['window', 'bucket'] as const;
type Style = (typeof STYLES)[number];
/** The last so many of those that were refused come again when they were told to, and not before the others have left them room: fewer than what is free by then. */
const COME_AGAIN = 10;
const ROOM_AFTER_MS = 1000;

const credentialOf = (style: Style, n: number): string => `sk-${style}-${n}`;
const RULES = Object.fromEntries(
  STYLES.flatMap((style) => HIDDEN.map((requests, n): [string, FakeQuotaRule] => [credentialOf(style, n), { style, requests, windowMs: WINDOW_MS, headers: true }])),
);
const fine = answer('Fine.', { beforeFirstByteMs: 20 });

/** Limits of deja.yaml, of two credentials each. */
const CONFIGURED = {
  'by-requests': [{ requests_per_minute: 20 }, { requests_per_minute: 35 }],
  'by-tokens': [{ tokens_per_minute: 600 }, { tokens_per_minute: 1000 }],
  'by-concurrency': [{ concurrency: 3 }, { concurrency: 5 }],
};
type ConfiguredModel = keyof typeof CONFIGURED;

interface Counts {
  admitted: number;
  refused: number;
}

interface Refused {
  style: Style;
  atMs: number;
  retryAfterS: number;
}

/** A provider and a cluster in front of it, and what came of a load that asks for more than the quotas allow. */
class Simulation {
  /** The provider's own counts at the beginning of each window, by its number. */
  private readonly counts = new Map<number, Record<Style, Counts>>();
  /** Answers that were neither given nor refused as they should be. */
  readonly wrong: string[] = [];
  readonly refused: Refused[] = [];
  private counted = windowOf(Date.now());
  /** The first window that is measured. */
  private first = 0;
  /** When the last of the load was answered. */
  overAtMs = 0;
  private sent = 0;

  private constructor(
    readonly provider: FakeProvider,
    readonly cluster: TestCluster,
  ) {}

  static async open(routers: number): Promise<Simulation> {
    let simulation: Simulation | null = null;
    const now = (): number => simulation?.now() ?? Date.now();
    const provider = await fakeProvider({ otherwise: fine, quotas: { rules: RULES, now } });
    try {
      return (simulation = new Simulation(provider, await testCluster({ config: configuration(provider.url), scale: { gateway: 2, router: routers } })));
    } catch (error) {
      await provider.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.cluster.stop();
    await this.provider.close();
  }

  /** Sends at a steady pace, however long answers take, until the last window that is measured is over. Resolves when all are answered. */
  async run(): Promise<void> {
    const fromMs = Date.now();
    this.first = windowOf(fromMs) + 1 + WARM_UP;
    const untilMs = (this.first + MEASURED) * WINDOW_MS;
    const all: Promise<void>[] = [];
    for (; Date.now() < untilMs; await delay(5)) {
      const due = STYLES.length * DEMAND * TOTAL * ((Date.now() - fromMs) / WINDOW_MS);
      while (all.length < due) all.push(this.sendOne(STYLES[all.length % STYLES.length]!));
    }
    await Promise.all(all);
    this.overAtMs = Date.now();
    this.now(); // the last window is over, be there another call or not
  }

  /** What the provider admitted and refused in the windows that are measured. */
  measured(style: Style): Counts {
    const [from, until] = [this.counts.get(this.first)![style], this.counts.get(this.first + MEASURED)![style]];
    return { admitted: until.admitted - from.admitted, refused: until.refused - from.refused };
  }

  /** One request, to each gateway in turn. */
  async send(model: string, more: object = {}): Promise<Response> {
    const n = (this.sent += 1);
    // By twos, because the styles take turns too.
    const response = await fetch(`${this.cluster.urls[(n >> 1) % 2]}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.cluster.key}`, 'x-cache-mode': 'off' },
      body: JSON.stringify({ model, messages: ask(`How are you, number ${n}?`), ...more }),
      signal: AbortSignal.timeout(30_000),
    });
    return new Response(await response.text(), response);
  }

  private async sendOne(style: Style): Promise<void> {
    const response = await this.send(style).catch((error: unknown) => String(error));
    if (typeof response === 'string') this.wrong.push(response);
    else if (response.status !== 200) {
      const told = waitToldS(response);
      const text = await response.text();
      if (response.status === 429 && text.includes('"provider_rate_limited"') && told !== null) this.refused.push({ style, atMs: Date.now(), retryAfterS: told });
      else this.wrong.push(`${response.status} retry-after ${told}: ${text}`);
    }
  }

  /** The provider's clock, which it looks at before it counts a call: what stood there when a window began is kept. */
  private now(): number {
    const nowMs = Date.now();
    for (; this.counted < windowOf(nowMs); this.counts.set(this.counted, { window: this.countsOf('window'), bucket: this.countsOf('bucket') })) this.counted += 1;
    return nowMs;
  }

  private countsOf(style: Style): Counts {
    const counts = HIDDEN.map((_, n) => this.provider.quota.counts(credentialOf(style, n)));
    return { admitted: counts.reduce((sum, { admitted }) => sum + admitted, 0), refused: counts.reduce((sum, { refused }) => sum + refused, 0) };
  }
}

const windowOf = (ms: number): number => Math.floor(ms / WINDOW_MS);

/** Whole seconds, one at least; null for anything else. */
function waitToldS({ headers }: Response): number | null {
  const told = headers.get('retry-after') ?? '';
  return /^[1-9]\d*$/.test(told) ? Number(told) : null;
}

function configuration(url: string): object {
  const provider = (credentials: object[]): object => ({ kind: 'openai', server: 'openai', base_url: url, credentials });
  const hidden = STYLES.map((style) => [style, provider(HIDDEN.map((_, n) => ({ name: `c${n}`, value: credentialOf(style, n) })))]);
  const configured = Object.entries(CONFIGURED).map(([name, both]) => [name, provider(both.map((limits, n) => ({ name: `c${n}`, value: `sk-${name}-${n}`, limits })))]);
  const providers = Object.fromEntries([...hidden, ...configured]) as Record<string, object>;
  return {
    providers,
    models: Object.keys(providers).map((name) => ({ name, deployments: [{ provider: name, model: 'm' }] })),
    timeouts: { connect_ms: 20_000 }, // the provider shares a busy machine with everything else
  };
}

describe.each([1, 3])('two gateways, %i router(s)', (routers) => {
  let simulation: Simulation;

  beforeAll(async () => {
    simulation = await Simulation.open(routers);
    await simulation.run();
  }, 120_000);
  afterAll(() => simulation?.close());

  test.each(STYLES)('five credentials with quotas that nobody was told (%s): 95 %% and more are used, less than 2 %% of the calls are answered 429', (style) => {
    const { admitted, refused } = simulation.measured(style);
    expect(admitted / (MEASURED * TOTAL)).toBeGreaterThanOrEqual(0.95);
    expect(refused / (admitted + refused)).toBeLessThan(0.02);
  });

  test('whoever is refused gets 429 provider_rate_limited and the time until there is room, and is served when that is over', async () => {
    expect(simulation.wrong).toEqual([]);
    expect(Math.max(...simulation.refused.map(({ retryAfterS }) => retryAfterS))).toBeLessThanOrEqual(WINDOW_MS / 1000 + 1); // a window, rounded up
    const again = STYLES.flatMap((style) => simulation.refused.filter((refused) => refused.style === style).slice(-COME_AGAIN));
    expect(again).toHaveLength(STYLES.length * COME_AGAIN);
    const statuses = again.map(async ({ style, atMs, retryAfterS }) => {
      await delay(Math.max(0, Math.max(atMs + 1000 * retryAfterS, simulation.overAtMs + ROOM_AFTER_MS) - Date.now()));
      return (await simulation.send(style)).status;
    });
    expect(await Promise.all(statuses)).toEqual(again.map(() => 200));
  });

  // What deja.yaml allows, over both gateways.

  const callsOf = (model: ConfiguredModel): ProviderRequest[][] => CONFIGURED[model].map((_, n) => simulation.provider.requests.filter(({ credential }) => credential === `sk-${model}-${n}`));
  const counts = (model: ConfiguredModel): number[] => callsOf(model).map(({ length }) => length);
  /** So many at once; how many of them were served. What is not served is refused as it should be. */
  async function serve(times: number, model: ConfiguredModel, more: object = {}): Promise<number> {
    const responses = await Promise.all(Array.from({ length: times }, () => simulation.send(model, more)));
    const refused = responses.filter(({ status }) => status !== 200);
    expect(refused.every((response) => response.status === 429 && waitToldS(response) !== null)).toBe(true);
    for (const response of refused) expect(await response.json()).toMatchObject({ error: { code: 'provider_rate_limited' } });
    return times - refused.length;
  }

  test('limits of deja.yaml: of more requests a minute than are allowed, exactly those are made', async () => {
    expect(await serve(100, 'by-requests')).toBe(55);
    expect(counts('by-requests')).toEqual([20, 35]);
    expect(await serve(10, 'by-requests')).toBe(0);
  });

  test('limits of deja.yaml: tokens a minute are never exceeded, and what was reserved and not used is there for others', async () => {
    const [used, most] = [{ promptTokens: 12, completionTokens: 8 }, 60];
    simulation.provider.otherwise(answer('Fine.', { usage: used }));
    const left = (): number[] => counts('by-tokens').map((calls, n) => CONFIGURED['by-tokens'][n]!.tokens_per_minute - calls * (used.promptTokens + used.completionTokens));
    await eventually('there is no room for another one', async () => {
      await serve(20, 'by-tokens', { max_tokens: most });
      expect(Math.min(...left())).toBeGreaterThanOrEqual(0);
      return Math.max(...left()) < most + 2 * used.promptTokens;
    });
    expect(await serve(10, 'by-tokens', { max_tokens: 2 * most })).toBe(0);
  });

  test('limits of deja.yaml: there are never more calls at once than are allowed, and as many as that', async () => {
    const { promise, resolve } = Promise.withResolvers<Step>();
    const held: ScriptStep = () => promise;
    simulation.provider.otherwise(held);
    const waiting = serve(40, 'by-concurrency');
    await simulation.provider.waitFor(() => counts('by-concurrency').every((calls, n) => calls === CONFIGURED['by-concurrency'][n]!.concurrency), 20_000);
    expect(await serve(10, 'by-concurrency')).toBe(0);
    resolve(fine);
    expect(await waiting).toBe(8);
    expect(counts('by-concurrency')).toEqual([3, 5]);
    simulation.provider.otherwise(fine);
    await eventually('there is room again', async () => (await serve(1, 'by-concurrency')) === 1);
  });
});
