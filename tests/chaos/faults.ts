import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { poll, type AppName } from '@deja/launcher';
import type { PathMode, ReplicaPaths, Service, TestCluster } from '@deja/testing';
import type { Fault } from './evidence.ts';
import type { LoggedProvider, Mood } from './logged-provider.ts';
import { APPS, type Kind, type PlannedFault } from './schedule.ts';

const DELAY_MS = 200;
/** A busy machine may take its time. */
const WELL_MS = 90_000;
const REPLICAS = [1, 2] as const;
/** Who reaches what. */
const USERS: Record<Service, readonly AppName[]> = { redis: APPS, postgres: ['router', 'usage-worker'] };
const MODES: Partial<Record<Kind, PathMode>> = { drop: 'hanging', reset: 'reset', delay: { delayMs: DELAY_MS } };
const MOODS: Partial<Record<Kind, Mood>> = { errors: 'failing', 'rate-limits': 'limited' };

export interface Stage {
  cluster: TestCluster;
  paths: ReplicaPaths;
  providers: readonly LoggedProvider[];
}

/** Does what was planned: undoes it after its time, waits until all is well again, and says when that was. */
export async function doFault(stage: Stage, { target, kind, n, lengthMs }: PlannedFault): Promise<Fault> {
  const startMs = Date.now();
  if (target === 'provider') await ofProvider(stage.providers[n - 1], kind, lengthMs);
  else if (target === 'redis' || target === 'postgres') await ofService(stage, target, kind, lengthMs);
  else await ofApp(stage, target, n, kind, lengthMs);
  const endMs = Date.now();
  await stage.cluster.waitReady(WELL_MS);
  await lacksNothing(stage.cluster);
  return { target, kind, n, startMs, endMs, wellMs: Date.now() };
}

async function ofProvider(provider: LoggedProvider | undefined, kind: Kind, lengthMs: number): Promise<void> {
  if (provider === undefined) throw new Error('there is no such provider');
  if (kind === 'kill') {
    await provider.kill();
    await delay(lengthMs);
    return provider.start();
  }
  const mood = MOODS[kind];
  if (mood !== undefined) {
    provider.mood = mood;
    await delay(lengthMs);
    provider.mood = 'well';
    return;
  }
  // A server that stands still takes connections and says nothing, as one behind a way that swallows everything.
  await alongPaths([provider.path], MODES[kind] ?? 'hanging', lengthMs);
}

async function ofService({ cluster, paths }: Stage, service: Service, kind: Kind, lengthMs: number): Promise<void> {
  const mode = MODES[kind];
  if (mode !== undefined) return alongPaths(USERS[service].flatMap((app) => REPLICAS.map((n) => paths.path(service, { app, n }))), mode, lengthMs);
  if (kind === 'kill') return killed(cluster, service, 1);
  if (kind === 'restart') return cluster.restart(service);
  await stoodStill(withChildren(cluster.pid(service)), lengthMs);
}

async function ofApp({ cluster, paths }: Stage, app: AppName, n: number, kind: Kind, lengthMs: number): Promise<void> {
  const mode = MODES[kind];
  if (mode !== undefined) return alongPaths((['redis', 'postgres'] as const).filter((service) => USERS[service].includes(app)).map((service) => paths.path(service, { app, n })), mode, lengthMs);
  if (kind === 'kill') return killed(cluster, app, n);
  if (kind === 'restart') {
    for (const one of REPLICAS) await cluster.restart(app, one);
    return;
  }
  const pid = cluster.pid(app, n);
  await stoodStill(pid === null ? [] : [pid], lengthMs);
}

async function alongPaths(paths: readonly { set(mode: PathMode): void }[], mode: PathMode, lengthMs: number): Promise<void> {
  for (const path of paths) path.set(mode);
  await delay(lengthMs);
  for (const path of paths) path.set('open');
}

async function killed(cluster: TestCluster, member: AppName | Service, n: number): Promise<void> {
  const before = cluster.pid(member, n);
  cluster.kill(member, n);
  const back = await poll(() => (cluster.pid(member, n) === null || cluster.pid(member, n) === before ? null : true), { deadlineMs: WELL_MS });
  if (back === null) throw new Error(`${member} ${n} did not come back within ${WELL_MS} ms`);
}

async function stoodStill(pids: readonly number[], lengthMs: number): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGSTOP');
  await delay(lengthMs);
  for (const pid of pids) signal(pid, 'SIGCONT');
}

/** One that ended by itself meanwhile is nobody's. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Postgres works in processes of its own for each connection. Where the system does not tell of them, it is the process alone. */
function withChildren(pid: number | null): number[] {
  if (pid === null) return [];
  try {
    return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '').map(Number)];
  } catch {
    return [pid];
  }
}

/** Resolves when no replica says that it is degraded, and no gateway decides limits by itself. */
export async function lacksNothing(cluster: TestCluster): Promise<void> {
  let lacks: string[] = [];
  const well = await poll(async () => {
    lacks = (await Promise.all(cluster.apps.map(async ({ app, n }) => (await whatIsMissing(cluster, app, n)).map((what) => `${app}-${n}: ${what}`)))).flat();
    return lacks.length === 0 ? true : null;
  }, { deadlineMs: WELL_MS, everyMs: 100 });
  if (well === null) throw new Error(`not all was well within ${WELL_MS} ms: ${lacks.join(', ')}`);
}

export async function whatIsMissing(cluster: TestCluster, app: AppName, n: number): Promise<string[]> {
  try {
    const ready = await fetch(`${cluster.opsUrl(app, n)}/readyz`);
    const { degraded = [] } = (await ready.json()) as { degraded?: string[] };
    const metrics = app === 'gateway' ? await (await fetch(`${cluster.opsUrl(app, n)}/metrics`)).text() : '';
    return [...(ready.ok ? [] : [`not ready (${ready.status})`]), ...degraded, ...(/^deja_gateway_limits_degraded(?:\{[^}]*\})? 1$/m.test(metrics) ? ['limits'] : [])];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
