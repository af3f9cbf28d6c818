import { setTimeout as delay } from 'node:timers/promises';
import { Balancer } from './balancer.ts';
import type { Evidence, Fault } from './evidence.ts';
import { doFault } from './faults.ts';
import { decidedAlone, ledgerOf, notReady, secretsFound, settled } from './gather.ts';
import { Load } from './load.ts';
import { MemoryWatch } from './memory-watch.ts';
import { BadClient, ChangeProber } from './probes.ts';
import { randomFrom } from './random.ts';
import { schedule, type PlannedFault, type ScheduleOptions, type Target } from './schedule.ts';
import { chaosStage, RATES, REPLICAS, type ChaosStage } from './stage.ts';

/** During these a change is heard of all the same: they are on nobody's way from the admin API to a gateway. */
const HARMLESS_TO_CHANGES: ReadonlySet<Target> = new Set(['provider', 'usage-worker', 'semantic-cache']);

export interface ChaosOptions extends Omit<ScheduleOptions, 'replicas'> {
  perSecond: number;
  env?: Record<string, string>;
  firstByteMs?: number;
  /** How long all may take to settle in the end: leases of the killed run out first. */
  settlesMs: number;
  /** How often each process is made to collect its garbage, to see what is live. */
  liveMemoryEveryMs?: number;
  log?: (line: string) => void;
  /** Is handed the cluster as soon as it runs, so that a run can be interrupted. */
  onStage?: (stage: ChaosStage) => void;
}

export interface ChaosRun {
  evidence: Evidence;
  planned: PlannedFault[];
  settledMs: number;
  /** Changes that were disturbed by a fault. */
  abandoned: number;
}

/** Starts two of everything, lets clients ask and things go wrong, waits until all has settled, and gathers what is to be seen. */
export async function chaos(o: ChaosOptions): Promise<ChaosRun> {
  const planned = schedule({ ...o, replicas: REPLICAS });
  const stage = await chaosStage({ random: randomFrom(o.seed + 1), perSecond: o.perSecond, env: o.env ?? {}, ...(o.firstByteMs !== undefined && { firstByteMs: o.firstByteMs }) });
  const balancer = new Balancer(stage.cluster);
  try {
    o.onStage?.(stage);
    await stage.admin.done('POST', 'tenants', { id: 'probes' });
    await Load.knownTo(stage.cluster.urls, stage.keys);
    await balancer.start();
    const [fromMs, running] = [Date.now(), new Set<PlannedFault>()];
    let isOver = false;
    const over = (): boolean => isOver;
    const prober = new ChangeProber(stage, () => [...running].every(({ target }) => HARMLESS_TO_CHANGES.has(target)));
    const badClient = new BadClient(stage, (gateway) => balancer.isReady(gateway));
    const memory = new MemoryWatch(stage.cluster, o.liveMemoryEveryMs);
    const others = [
      new Load(balancer, stage.keys, randomFrom(o.seed + 2)).run(o.perSecond, over), prober.run(over), badClient.run(over, randomFrom(o.seed + 3)), memory.run(over),
    ];
    const faults = await inTime(planned, { stage, fromMs, running, log: o.log ?? (() => undefined) }).finally(() => (isOver = true));
    await Promise.all(others);
    const untilMs = Date.now();
    const left = await settled(stage, o.settlesMs, o.log ?? (() => undefined));
    const { found, sought } = await secretsFound(stage);
    const evidence: Evidence = {
      fromMs, untilMs, faults, tries: balancer.tries, ...(await ledgerOf(stage.cluster)), calls: stage.providers.flatMap(({ calls }) => calls), rates: RATES, changes: prober.found, bad: badClient.sent, notTaken: balancer.notTaken,
      badAtProvider: stage.providers.reduce((sum, { bad }) => sum + bad, 0), ceilings: stage.ceilings, alone: decidedAlone(stage.cluster), secretsFound: found, secretsSought: sought, left, notReady: await notReady(stage.cluster), memory: memory.samples,
    };
    return { evidence, planned, settledMs: Date.now() - untilMs, abandoned: prober.abandoned };
  } finally {
    await balancer.stop();
    await stage.stop();
  }
}

interface Run {
  stage: ChaosStage;
  fromMs: number;
  running: Set<PlannedFault>;
  log: (line: string) => void;
}

/** Each at its time, or as soon as those of the rounds before are over. Then as much calm as there was before the first. */
async function inTime(planned: readonly PlannedFault[], run: Run): Promise<Fault[]> {
  const done: Fault[] = [];
  const calmMs = planned[0]?.startMs ?? 0;
  let lateMs = 0;
  for (let i = 0; i < planned.length; ) {
    const round = planned.slice(i, i + 1 + besides(planned, i));
    await delay(Math.max(0, run.fromMs + (round[0]?.startMs ?? 0) + lateMs - Date.now()));
    done.push(...(await Promise.all(round.map((fault) => oneOf(fault, (round[0]?.startMs ?? 0), run)))));
    i += round.length;
    const next = planned[i];
    // Recovery may take longer than planned: calm comes all the same.
    if (next !== undefined) lateMs = Math.max(lateMs, Date.now() + calmMs - run.fromMs - next.startMs);
  }
  await delay(calmMs);
  return done;
}

/** How many begin before this one is over: it is one round. */
function besides(planned: readonly PlannedFault[], i: number): number {
  const [first] = planned.slice(i, i + 1);
  return first === undefined ? 0 : planned.slice(i + 1).filter(({ startMs }) => startMs < first.startMs + first.lengthMs).length;
}

async function oneOf(fault: PlannedFault, roundMs: number, { stage, fromMs, running, log }: Run): Promise<Fault> {
  await delay(fault.startMs - roundMs);
  running.add(fault);
  const beginMs = Date.now();
  log(`${String(Math.round((beginMs - fromMs) / 1000)).padStart(5)} s  ${fault.kind} of ${fault.target} ${fault.n}, ${(fault.lengthMs / 1000).toFixed(1)} s`);
  try {
    const done = await doFault(stage, fault);
    // Nobody could ask about a key that a new gateway has not seen yet, were Postgres or the routers the next to go.
    if (fault.target === 'gateway') await Load.knownTo(stage.cluster.urls, stage.keys);
    return { ...done, wellMs: Date.now() };
  } catch (error) {
    throw new Error(`${fault.kind} of ${fault.target} ${fault.n}: ${error instanceof Error ? error.message : String(error)}\n${stage.cluster.tail()}`, { cause: error });
  } finally {
    running.delete(fault);
  }
}
