import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Inspected, type TestCluster } from '@deja/testing';
import type { MemorySample } from './evidence.ts';

const RESIDENT_EVERY_MS = 5000;
const LIVE_EVERY_MS = 60_000;
/** Who stands still does not answer. */
const ANSWER_MS = 10_000;
const MIB = 2 ** 20;

/** Node lets itself be looked into, at a port of its own choosing. */
export const INSPECTED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

/** Looks at the memory of every app over and over. Its apps are to be started with `INSPECTED`. */
export class MemoryWatch {
  readonly samples: MemorySample[] = [];
  private readonly cluster: TestCluster;
  private readonly liveEveryMs: number;

  constructor(cluster: TestCluster, liveEveryMs = LIVE_EVERY_MS) {
    this.cluster = cluster;
    this.liveEveryMs = liveEveryMs;
  }

  async run(isOver: () => boolean): Promise<void> {
    await Promise.all([this.every(RESIDENT_EVERY_MS, isOver, () => this.resident()), this.every(this.liveEveryMs, isOver, () => this.live(isOver))]);
  }

  private async every(ms: number, isOver: () => boolean, look: () => void | Promise<void>): Promise<void> {
    for (let nextMs = Date.now() + ms; !isOver(); await delay(100)) {
      if (Date.now() < nextMs) continue;
      nextMs = Date.now() + ms;
      await look();
    }
  }

  private resident(): void {
    for (const { app, n, pid } of this.cluster.apps) {
      if (pid === null) continue;
      try {
        const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        if (kib !== undefined) this.samples.push({ process: `${app}-${n}`, pid, atMs: Date.now(), of: 'resident', mib: Number(kib) / 1024 });
      } catch {
        // it ended in this moment, or the system does not tell
      }
    }
  }

  /** One after the other: each stands still for its collection. */
  private async live(isOver: () => boolean): Promise<void> {
    for (const { app, n, pid } of this.cluster.apps) {
      if (pid === null || isOver()) continue;
      const bytes = await this.liveBytes(`${app}-${n}`).catch(() => null); // it stands still, or ended in this moment
      if (bytes !== null) this.samples.push({ process: `${app}-${n}`, pid, atMs: Date.now(), of: 'live', mib: bytes / MIB });
    }
  }

  private async liveBytes(process: string): Promise<number | null> {
    const url = /ws:\/\/\S+/.exec(this.cluster.logged('Debugger listening on').findLast(({ from }) => from === process)?.text ?? '')?.[0];
    if (url === undefined) return null;
    const seen = Inspected.open(url).then((inspected) => inspected.liveBytes().finally(() => inspected.close()));
    return await Promise.race([seen, delay(ANSWER_MS, null, { ref: false })]);
  }
}
