import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Candidate } from '@deja/contracts';
import { runScript } from '@deja/redis';
import { FakeQuota, RedisProcess, type FakeQuotaRule } from '@deja/testing';
import { CredentialQuotas, type QuotaVerdict } from './credential-quotas.ts';
import { candidate, START_MS, strictLogger, waitSaidMs } from '../../test/quota-stage.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const GATEWAYS = 3;
const WINDOW_MS = 60_000;
/** What nobody but the provider knows. */
const HIDDEN = [20, 35, 50, 80, 115];
const TOTAL = HIDDEN.reduce((sum, quota) => sum + quota, 0);

/** Numbers in [0, 1) that are the same every time (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Things to come, in order of time; what happens at one time happens in the order in which it was planned. */
class Future {
  ms = START_MS;
  private readonly events: { atMs: number; n: number; act: () => Promise<void> }[] = [];
  private planned = 0;

  in(delayMs: number, act: () => Promise<void>): void {
    const event = { atMs: this.ms + delayMs, n: (this.planned += 1), act };
    let at = this.events.length;
    while (at > 0 && this.events[at - 1]!.atMs <= event.atMs) at -= 1;
    this.events.splice(at, 0, event);
  }

  async until(endMs: number): Promise<void> {
    for (let next = this.events.at(-1); next !== undefined && next.atMs <= endMs; next = this.events.at(-1)) {
      this.events.pop();
      this.ms = next.atMs;
      await next.act();
    }
    this.ms = endMs;
  }
}

interface Simulation {
  rule: Omit<FakeQuotaRule, 'requests' | 'windowMs'>;
  minutes: number;
  /** Calls wanted, as a multiple of the whole quota. */
  demand: number;
  /** Requests a minute that another client takes from the first two accounts. */
  others?: number;
}

interface Outcome {
  /** Admitted calls, of those that the quotas allow. */
  used: number;
  /** Calls answered with 429, of all that were made. */
  refused: number;
}

class Pool {
  readonly future = new Future();
  private readonly random = chance(3);
  private readonly provider: FakeQuota;
  private readonly gateways: CredentialQuotas[];
  private readonly candidates: Candidate[];
  private readonly taken = { admitted: 0, refused: 0, others: 0 };

  constructor(private readonly o: Simulation, private readonly name: string) {
    const now = (): number => this.future.ms;
    this.candidates = HIDDEN.map((_, i) => candidate({}, `${name}/c${i}`));
    this.provider = new FakeQuota(Object.fromEntries(HIDDEN.map((requests, i) => [`${name}/c${i}`, { ...o.rule, requests, windowMs: WINDOW_MS }])), now);
    this.gateways = Array.from({ length: GATEWAYS }, (_, i) => new CredentialQuotas(server.client, `${name}-${i}`, strictLogger, now));
  }

  async run(): Promise<Outcome> {
    const { minutes, demand, others, rule } = this.o;
    this.keepCalling((demand * TOTAL) / WINDOW_MS, () => this.request(this.pick(this.gateways), this.shuffled()));
    if (others !== undefined) this.keepCalling(others / WINDOW_MS, () => this.anotherClient());
    this.beat();
    await this.future.until(START_MS + minutes * WINDOW_MS);
    const available = TOTAL * (rule.style === 'bucket' ? minutes + 1 : minutes) - this.taken.others;
    return { used: this.taken.admitted / available, refused: this.taken.refused / (this.taken.admitted + this.taken.refused) };
  }

  /** One request at a gateway: as far as there is room, candidate after candidate, as failover does. */
  private async request(gateway: CredentialQuotas, candidates: Candidate[]): Promise<void> {
    if (candidates.length === 0) return;
    const question = gateway.ask(candidates, 1);
    const reply = question.call && (await runScript(server.client, question.call.script, question.call.keys, question.call.args));
    const verdict = await gateway.read(question, question.call ? [null, reply] : undefined);
    if (verdict.kind !== 'refused') this.call(gateway, verdict, candidates);
  }

  private call(gateway: CredentialQuotas, { index, charge }: Exclude<QuotaVerdict, { kind: 'refused' }>, candidates: Candidate[]): void {
    const { future, random } = this;
    const id = candidates[index]!.credential!.id;
    future.in(5 + 35 * random(), async () => {
      const { admitted, headers } = this.provider.admit(id)!;
      this.taken[admitted ? 'admitted' : 'refused'] += 1;
      future.in(5 + 35 * random() + (admitted ? 1500 * random() : 0), async () => {
        const headersAtMs = future.ms;
        future.in(admitted ? 4000 * random() : 0, async () => {
          await gateway.end(charge, { tokens: admitted ? 1 : 0, headers, headersAtMs, failure: admitted ? null : 'rate', retryAfterMs: waitSaidMs(headers) });
          if (!admitted) await this.request(gateway, candidates.toSpliced(index, 1));
        });
      });
    });
  }

  private anotherClient(): Promise<void> {
    const reply = this.provider.admit(this.pick(this.candidates.slice(0, 2)).credential!.id);
    if (reply?.admitted === true) this.taken.others += 1;
    return Promise.resolve();
  }

  /** Poisson arrivals. */
  private keepCalling(perMs: number, act: () => Promise<void>): void {
    this.future.in(-Math.log(1 - this.random()) / perMs, async () => {
      this.keepCalling(perMs, act);
      await act();
    });
  }

  private beat(): void {
    this.future.in(2000, async () => {
      this.beat();
      for (const gateway of this.gateways) await gateway.listen();
    });
  }

  private pick<T>(list: T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }

  private shuffled(): Candidate[] {
    return this.candidates.map((one) => ({ one, at: this.random() })).toSorted((a, b) => a.at - b.at).map(({ one }) => one);
  }
}

const SIMULATIONS: [name: string, simulation: Simulation][] = [
  ['windows with headers', { rule: { style: 'window', headers: true }, minutes: 5, demand: 1.3 }],
  ['buckets with headers', { rule: { style: 'bucket', headers: true }, minutes: 5, demand: 1.3 }],
  ['windows without headers', { rule: { style: 'window', headers: false }, minutes: 10, demand: 1.3 }],
  ['buckets without headers', { rule: { style: 'bucket', headers: false }, minutes: 10, demand: 1.3 }],
  ['buckets without headers that tell whole seconds', { rule: { style: 'bucket', headers: false, retryAfter: 's' }, minutes: 10, demand: 1.3 }],
  ['windows with headers that others use too', { rule: { style: 'window', headers: true }, minutes: 5, demand: 1.3, others: 20 }],
];

describe('five credentials with quotas that nobody was told, at three gateways', () => {
  const outcomes = new Map<string, Outcome>();
  beforeAll(async () => {
    await Promise.all(SIMULATIONS.map(async ([name, simulation]) => outcomes.set(name, await new Pool(simulation, name.replaceAll(' ', '-')).run())));
  }, 120_000); // a deadline for what hangs; time passes as fast as it can

  test.each(SIMULATIONS)('of %s, 95 %% and more are used and less than 2 %% of the calls are answered 429', (name) => {
    const { used, refused } = outcomes.get(name)!;
    expect(used).toBeGreaterThanOrEqual(0.95);
    expect(refused).toBeLessThan(0.02);
  });
});
