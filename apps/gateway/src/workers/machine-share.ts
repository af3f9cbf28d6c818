import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import type { GatewayWorkers } from '@deja/config';

/** What of a machine is this process's, and its children's. */
export interface MachineShare {
  /** Processors that it may run on. */
  processors: number;
  /** Processor time a second that its control group may use, in processors: 1.5 of eight; null where nothing is set. */
  cpuQuota: number | null;
  /** What its control group may hold, and at most what there is. */
  memoryBytes: number;
}

/** Content of a text file; null where there is none. */
export type ReadText = (path: string) => string | null;

/** A gateway under load takes less (docs/performance.md); what it has over is for the moment in which large bodies meet. */
const WORKER_BYTES = 256 * 1024 * 1024;
const CONTROL_GROUPS = '/sys/fs/cgroup';

/** How many workers there are to be. `auto`: one for each whole processor that is this process's, as far as there is memory for them. At least one. */
export function workerCount(asked: GatewayWorkers, shareOf: () => MachineShare = machineShare): number {
  if (asked !== 'auto') return asked;
  const { processors, cpuQuota, memoryBytes } = shareOf();
  return Math.max(1, Math.floor(Math.min(processors, cpuQuota ?? processors, memoryBytes / WORKER_BYTES)));
}

function machineShare(): MachineShare {
  const mayHold = process.constrainedMemory();
  return { processors: availableParallelism(), cpuQuota: cpuQuota(readText), memoryBytes: Math.min(totalmem(), mayHold > 0 ? mayHold : Infinity) };
}

/**
 * The least quota of this process's control group and those around it, in processors; null where none is set. libuv, and so `availableParallelism()`, looks for it
 * as well, but takes half a processor for no quota at all, and of the older control groups knows only some.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files, https://docs.kernel.org/scheduler/sched-bwc.html
 */
export function cpuQuota(read: ReadText): number | null {
  const quotas: number[] = [];
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const isSecondVersion = controllers === '';
    if (!isSecondVersion && !controllers.split(',').includes('cpu')) continue;
    for (const group of upwards(path)) quotas.push(isSecondVersion ? quotaOf(read(`${CONTROL_GROUPS}${group}/cpu.max`)) : olderQuotaOf(read, `${CONTROL_GROUPS}/cpu${group}`));
  }
  const least = Math.min(...quotas);
  return Number.isFinite(least) ? least : null;
}

/** A group and those around it. A container's may be named as outside, where its own root is all that it sees: that is the last one. */
function upwards(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, left) => parts.slice(0, parts.length - left).map((part) => `/${part}`).join(''));
}

/** `<µs> <µs>`, of which the first may be `max`. */
function quotaOf(text: string | null): number {
  const [, allowed, period] = /^(\d+) (\d+)\s*$/.exec(text ?? '') ?? [];
  return ratio(allowed, period);
}

function olderQuotaOf(read: ReadText, group: string): number {
  const allowed = /^(\d+)\s*$/.exec(read(`${group}/cpu.cfs_quota_us`) ?? '')?.[1]; // -1: none
  return ratio(allowed, allowed && /^(\d+)\s*$/.exec(read(`${group}/cpu.cfs_period_us`) ?? '')?.[1]);
}

function ratio(allowed: string | undefined, period: string | undefined): number {
  const quota = Number(allowed) / Number(period);
  return quota > 0 ? quota : Infinity; // NaN too
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // another system, or another version of control groups
  }
}
