/**
 * What planning one request costs a gateway, for a model with 100 deployments of 10 credentials each, all of them healthy, and with
 * a view of each: `node --conditions=@deja/source bench/plan.ts [rounds]`. The aim is a median of 50 µs. Nothing is asked of anyone.
 */
import { cpus } from 'node:os';
import type { CredentialRef, Deployment, PublicModel, RoutingSnapshot, Settings } from '@deja/contracts';
import { credentialKey, explainRequest, planRequest, type CredentialView, type DeploymentView, type PlanMoment, type PlanNeed, type RoutingView } from '@deja/routing';

const ROUNDS = Number(process.argv[2] ?? 20_000);
const DEPLOYMENTS = 100;
const CREDENTIALS = 10;
const NOW_MS = 1_000_000;

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

const deployments = range(DEPLOYMENTS).map((n): Deployment => ({
  id: `provider-${n}/model`, provider: `provider-${n}`, kind: 'openai', baseUrl: `https://provider-${n}.example/v1`, apiVersion: null, upstreamModel: 'model', unavailableUntilMs: 0, firstByteMs: 200 + ((n * 37) % 100),
  credentials: range(CREDENTIALS).map((c): CredentialRef => ({ id: `provider-${n}/key-${c}`, version: 'v1', weight: 1 + (c % 3), limits: {}, unavailableUntilMs: 0 })),
}));
const parts = (of: Deployment[]): PublicModel['deployments'] => of.map(({ id }, n) => ({ id, weight: 1 + (n % 3), priority: 1 }));
const model = (name: string, over: Partial<PublicModel>): PublicModel => ({ name, strategy: 'weighted', deployments: parts(deployments), fallbacks: [], ...over });
const snapshot: RoutingSnapshot = {
  version: 1, issuedAtMs: 0, deployments, settings: {} as Settings,
  models: [
    ...(['weighted', 'least_latency', 'least_busy', 'cheapest', 'priority'] as const).map((strategy) => model(strategy, { strategy })),
    ...range(10).map((n) => model(`tenth-${n}`, { deployments: parts(deployments.slice(n * 10, n * 10 + 10)) })),
    model('auto', { deployments: [], candidates: range(10).map((n) => `tenth-${n}`) }),
  ],
};
const view: RoutingView = {
  deployments: new Map(deployments.map(({ id }, n): [string, DeploymentView] => [id, { inFlight: n % 7, firstByteMs: 180 + ((n * 53) % 90), oldestWaitMs: n % 5, suspectUntilMs: 0, probing: false }])),
  credentials: new Map(deployments.flatMap((d) => d.credentials.map((c, n): [string, CredentialView] => [credentialKey(c), { inFlight: n % 3, unavailableUntilMs: 0, probing: false }]))),
};
const moment: PlanMoment = { nowMs: NOW_MS, random: Math.random, maxAttempts: 4, view };
const need = (name: string, over: Partial<PlanNeed> = {}): PlanNeed => ({
  model: name, tenant: 'default', suits: ({ kind }) => kind === 'openai', fits: () => 'fits', costOf: ({ firstByteMs = 0 }) => 1000 + ((firstByteMs * 31) % 17), capabilityOf: () => 50,
  factsOf: () => ({ reasoning: false, toolCall: true, structuredOutput: true, input: ['text', 'image'] }), ...over,
});

const [cpu] = cpus();
console.log(`${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${process.platform}-${process.arch}, Node ${process.version}`);
console.log(`${DEPLOYMENTS} deployments × ${CREDENTIALS} credentials, ${ROUNDS} plans each`);
measure('weighted', () => planRequest(snapshot, need('weighted'), moment));
measure('weighted, by affinity', (n) => planRequest(snapshot, need('weighted', { affinityKey: `conversation-${n}-0123456789abcdef0123456789abcdef` }), moment));
for (const name of ['least_latency', 'least_busy', 'cheapest', 'priority']) measure(name, () => planRequest(snapshot, need(name), moment));
for (const wish of ['cost', 'speed', 'capability']) measure(`auto:${wish}, 10 models of 10`, () => planRequest(snapshot, need(`auto:${wish}`, { abilities: ['tools', 'vision'] }), moment));
const paused = { ...snapshot, deployments: deployments.map((d) => ({ ...d, credentials: d.credentials.map((c) => ({ ...c, unavailableUntilMs: NOW_MS + 1000, trouble: 'rate_limited' as const })) })) };
measure('nothing available: the refusal', () => planRequest(paused, need('weighted'), moment));
measure('a new snapshot: its first plan', () => planRequest({ ...snapshot }, need('weighted'), moment), ROUNDS / 20);
measure('the explanation', () => explainRequest(snapshot, need('weighted'), moment), ROUNDS / 20);

function measure(what: string, task: (n: number) => unknown, rounds = ROUNDS): void {
  for (let n = 0; n < rounds / 4; n++) task(n);
  const durationsUs: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const startedMs = performance.now();
    task(n);
    durationsUs.push((performance.now() - startedMs) * 1000);
  }
  durationsUs.sort((a, b) => a - b);
  const at = (share: number): string => (durationsUs[Math.floor(share * rounds)] ?? Number.NaN).toFixed(1).padStart(8);
  console.log(`${what.padEnd(34)} median ${at(0.5)} µs   p99 ${at(0.99)} µs`);
}
