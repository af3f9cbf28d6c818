import type { Candidate, CredentialRef, Deployment, ModelDeployment, Plan, PublicModel, RoutingSnapshot, Settings } from '@deja/contracts';
import fc from 'fast-check';
import type { PlanMoment, PlanNeed, PlanResult } from '../src/need.ts';
import { planRequest } from '../src/plan.ts';
import type { CredentialView, DeploymentView, RoutingView } from '../src/view.ts';

export const NOW = 1_000_000;

export const credential = (id: string, over: Partial<CredentialRef> = {}): CredentialRef => ({ id, version: 'v', weight: 1, limits: {}, unavailableUntilMs: 0, ...over });

/** `provider/model`, with credentials named in short or given whole. */
export const deployment = (id: string, credentials: (string | CredentialRef)[] = [], over: Partial<Deployment> = {}): Deployment => ({
  id, provider: id.split('/')[0]!, kind: 'openai', baseUrl: 'https://x/v1', apiVersion: null, upstreamModel: id.split('/')[1]!, unavailableUntilMs: 0,
  credentials: credentials.map((c) => (typeof c === 'string' ? credential(c) : c)), ...over,
});

export type Entry = string | ({ id: string } & Partial<ModelDeployment>);

export const model = (name: string, deployments: Entry[], over: Partial<PublicModel> = {}): PublicModel => ({
  name, strategy: 'weighted', fallbacks: [], ...over,
  deployments: deployments.map((d) => (typeof d === 'string' ? { id: d, weight: 1, priority: 1 } : { weight: 1, priority: 1, ...d })),
});

/** Deployments that a model names and nobody gives are there, keyless. */
export function snapshot(models: PublicModel[], deployments: Deployment[] = []): RoutingSnapshot {
  const given = new Set(deployments.map(({ id }) => id));
  const missing = new Set(models.flatMap((m) => m.deployments.map(({ id }) => id)).filter((id) => !given.has(id)));
  return { version: 7, issuedAtMs: 0, models, deployments: [...deployments, ...[...missing].map((id) => deployment(id))], settings: {} as Settings };
}

export const seen = (over: Partial<DeploymentView> = {}): DeploymentView => ({ inFlight: 0, firstByteMs: null, oldestWaitMs: 0, suspectUntilMs: 0, probing: false, ...over });
export const seenCredential = (over: Partial<CredentialView> = {}): CredentialView => ({ inFlight: 0, unavailableUntilMs: 0, probing: false, ...over });
export const view = (deployments: Record<string, Partial<DeploymentView>>, credentials: Record<string, Partial<CredentialView>> = {}): RoutingView => ({
  deployments: new Map(Object.entries(deployments).map(([id, of]) => [id, seen(of)])),
  credentials: new Map(Object.entries(credentials).map(([key, of]) => [key, seenCredential(of)])),
});

/** Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Asked = Partial<PlanNeed> & { seed?: number; random?: () => number; maxAttempts?: number; view?: RoutingView };

export function asked(wanted: string, { seed = 1, random = seeded(seed), maxAttempts = 4, view: seenHere, ...need }: Asked = {}): [PlanNeed, PlanMoment] {
  return [{ model: wanted, ...need }, { nowMs: NOW, random, maxAttempts, ...(seenHere && { view: seenHere }) }];
}

export const ask = (table: RoutingSnapshot, wanted: string, of: Asked = {}): PlanResult => planRequest(table, ...asked(wanted, of));

export function planOf(table: RoutingSnapshot, wanted: string, of: Asked = {}): Plan {
  const result = ask(table, wanted, of);
  if ('refused' in result) throw new Error(JSON.stringify(result));
  return result.plan;
}

/** `a/m#a1`, `a/m` where it needs no credential. */
export const named = ({ deployment: { id }, credential: by }: Candidate): string => (by === null ? id : `${id}#${by.id}`);
export const names = (table: RoutingSnapshot, wanted: string, of: Asked = {}): string[] => planOf(table, wanted, of).candidates.map(named);

/** Share of each first choice over many plans. */
export function firstChoices(table: RoutingSnapshot, wanted: string, of: (n: number) => Asked, rounds = 8000): Record<string, number> {
  const shares: Record<string, number> = {};
  for (let n = 0; n < rounds; n++) {
    const [first] = names(table, wanted, of(n));
    shares[first!] = (shares[first!] ?? 0) + 1 / rounds;
  }
  return shares;
}

const STRATEGIES = ['weighted', 'least_latency', 'least_busy', 'cheapest', 'priority'] as const;
const TROUBLES = ['rate_limited', 'exhausted', 'rejected', 'forbidden', 'failing'] as const;
const weight = fc.constantFrom(0, 1, 2, 5);
const health = { unavailableUntilMs: fc.constantFrom(0, 0, 0, NOW - 5, NOW + 20), trouble: fc.option(fc.constantFrom(...TROUBLES), { nil: undefined }) };
const someCredential = fc.record({ weight, ...health, tenant: fc.constantFrom(undefined, undefined, undefined, 't', 'u'), retiring: fc.constantFrom(undefined, undefined, true), baseUrl: fc.constantFrom(undefined, 'https://own/v1') });
const someDeployment = fc.record({ credentials: fc.array(someCredential, { maxLength: 4 }), ...health, drained: fc.constantFrom(undefined, undefined, true), firstByteMs: fc.constantFrom(undefined, 100, 300) });
const somePart = fc.record({ of: fc.nat(7), weight, priority: fc.integer({ min: 1, max: 3 }), canary: fc.constantFrom(undefined, undefined, undefined, 0.3), shadow: fc.constantFrom(undefined, undefined, undefined, 0.5), region: fc.constantFrom('eu', 'us') });
const someModel = fc.record({ parts: fc.uniqueArray(somePart, { minLength: 1, maxLength: 6, selector: ({ of }) => of }), strategy: fc.constantFrom(...STRATEGIES), fallbacks: fc.array(fc.nat(5), { maxLength: 3 }), tooLong: fc.array(fc.nat(5), { maxLength: 2 }), refused: fc.array(fc.nat(5), { maxLength: 2 }) });

const defined = <T extends object>(of: T): T => Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as T;

/** Tables of up to 4 models `m0`, …, a model `auto` among all of them, and up to 8 deployments of 4 providers that they share. */
export const arbitraryTable: fc.Arbitrary<RoutingSnapshot> = fc.record({ models: fc.array(someModel, { minLength: 1, maxLength: 4 }), deployments: fc.array(someDeployment, { minLength: 8, maxLength: 8 }) }).map(({ models, deployments }) => snapshot(
  [
    ...models.map((m, n) => model(`m${n}`, m.parts.map(({ of, ...part }) => defined({ id: `p${of % 4}/u${of}`, ...part }) as Entry), {
      strategy: m.strategy, fallbacks: m.fallbacks.map((f) => (f === 5 ? 'auto' : `m${f}`)), fallbacksOn: { contextWindow: m.tooLong.map((f) => `m${f}`), contentPolicy: m.refused.map((f) => `m${f}`) },
    })),
    model('auto', [], { candidates: [...models.map((_, n) => `m${n}`), 'auto'], fallbacks: ['m0'] }),
  ],
  deployments.map((d, n) => deployment(`p${n % 4}/u${n}`, d.credentials.map((c, k) => credential(`p${n % 4}/${n}.${k}`, defined(c) as Partial<CredentialRef>)), defined({ ...d, credentials: undefined }) as Partial<Deployment>)),
));

const someView = fc.record({ inFlight: fc.nat(30), firstByteMs: fc.constantFrom(null, 50, 500), oldestWaitMs: fc.constantFrom(0, 10, 5000), suspectUntilMs: fc.constantFrom(0, 0, NOW + 10), probing: fc.boolean() });
const someCredentialView = fc.record({
  inFlight: fc.nat(20), unavailableUntilMs: fc.constantFrom(0, 0, 0, NOW + 30), trouble: fc.constantFrom(undefined, 'rejected' as const, 'failing' as const), suspectUntilMs: fc.constantFrom(undefined, 0, NOW + 10), probing: fc.boolean(),
});
export const arbitraryView: fc.Arbitrary<RoutingView> = fc.record({ deployments: fc.array(fc.option(someView), { minLength: 8, maxLength: 8 }), credentials: fc.array(fc.option(someCredentialView), { minLength: 32, maxLength: 32 }) }).map(({ deployments, credentials }) => ({
  deployments: new Map(deployments.flatMap((of, n) => (of === null ? [] : [[`p${n % 4}/u${n}`, of] as const]))),
  credentials: new Map(credentials.flatMap((of, n) => (of === null ? [] : [[`p${(n >> 2) % 4}/${n >> 2}.${n % 4}@v`, of] as const]))),
}));

/** Any request for any of the models of an arbitrary table. */
export const arbitraryAsked: fc.Arbitrary<[string, Asked]> = fc.record({
  wanted: fc.constantFrom('m0', 'm0', 'auto', 'auto:speed', 'auto:capability'), seed: fc.integer(), maxAttempts: fc.integer({ min: 1, max: 20 }), view: fc.option(arbitraryView), tenant: fc.constantFrom(null, 't', 'v'),
  affinityKey: fc.constantFrom(null, 'k'), region: fc.constantFrom(null, null, null, 'eu'), salt: fc.nat(1000), pinned: fc.constantFrom(false, false, false, true),
}).map(({ wanted, seed, maxAttempts, view: seenHere, tenant, affinityKey, region, salt, pinned }) => {
  /** A fixed but arbitrary number of a deployment. */
  const of = (id: string, modulo: number): number => id.split('').reduce((sum, c) => (sum * 31 + c.charCodeAt(0) + salt) % 997, 7) % modulo;
  return [wanted, {
    seed, maxAttempts, tenant, affinityKey, abilities: salt % 2 === 0 ? ['vision' as const] : [], ...(seenHere && { view: seenHere }), ...(region !== null && { requires: { region } }), ...(pinned && { pin: { provider: 'p1', credential: 'p1/1.0' } }),
    suits: ({ id }) => of(id, 7) !== 0, fits: ({ id }) => (['fits', 'fits', 'fits', 'window', 'output'] as const)[of(id, 5)]!, costOf: ({ id }) => [null, 5, 7, 7, 11][of(id, 5)]!, capabilityOf: ({ id }) => [null, 10, 90][of(id, 3)]!,
    factsOf: ({ id }) => [null, { reasoning: true, toolCall: true, structuredOutput: true, input: ['text', 'image'] }, { reasoning: false, toolCall: false, structuredOutput: false, input: ['text'] }][of(id, 3)]!,
  }];
});
