// The load generator, a process of its own. Refusals and failures are results here, not errors: they are what is measured.
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '../added-latency/connection.ts';
import { bodyOf } from '../added-latency/work.ts';
import type { Result, Sent, Step, Target, Work } from './work.ts';
import { serveWork } from '../added-latency/serve-work.ts';

/** At most so many requests wait for an answer at once; what is due meanwhile waits, and its waiting counts. Enough for 3,000 a second that take a second each. */
const MOST_CONNECTIONS = 3000;

let marks = 0;
const nextBody = (): string => bodyOf('whole', `${process.pid}-${marks++}`, marks);

/** The connections towards one target, of one priority: the header is part of a connection's head. */
class Lines {
  private readonly free: Connection[] = [];
  private readonly target: Target & { headers: Record<string, string> };
  private busy = 0;

  constructor(target: Target, isBatch: boolean) {
    this.target = { ...target, headers: isBatch ? { 'x-deja-priority': 'batch' } : {} };
  }

  get hasRoom(): boolean {
    return this.busy < MOST_CONNECTIONS;
  }

  /** Sends one request and tells how it went. Never rejects. */
  async ask(): Promise<Pick<Sent, 'status' | 'hasRetryAfter'>> {
    this.busy++;
    let line = this.free.pop();
    while (line !== undefined && !line.isOpen) line = this.free.pop();
    try {
      line ??= await Connection.open(this.target);
      const { status, retryAfter } = await line.send(nextBody());
      this.free.push(line);
      return { status, hasRetryAfter: retryAfter !== null };
    } catch {
      line?.close();
      return { status: 0, hasRetryAfter: false };
    } finally {
      this.busy--;
    }
  }

  close(): void {
    for (const line of this.free) line.close();
  }
}

async function closedLoop(target: Target, clients: number, durationMs: number): Promise<Result> {
  const lines = new Lines(target, false);
  const sent: Sent[] = [];
  const startedMs = performance.now();
  const now = (): number => performance.now() - startedMs;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (now() < durationMs) {
        const dueMs = now();
        const told = await lines.ask();
        sent.push({ dueMs, endMs: now(), isBatch: false, ...told });
      }
    }),
  );
  lines.close();
  return { sent, elapsedMs: now(), latenessMs: [] };
}

/** When each request is due, ms. */
function* dueTimes(steps: readonly Step[]): Generator<number> {
  let fromMs = 0;
  for (const { perSecond, durationMs } of steps) {
    const count = Math.round((perSecond * durationMs) / 1000);
    for (let n = 0; n < count; n++) yield fromMs + (n * 1000) / perSecond;
    fromMs += durationMs;
  }
}

/** Requests begin by the clock, however long the earlier ones take: clients whose requests wait do not stop others from coming. */
async function openLoop(target: Target, steps: readonly Step[], batchShare: number): Promise<Result> {
  const [interactive, batch] = [new Lines(target, false), new Lines(target, true)];
  const due = [...dueTimes(steps)];
  const untilMs = steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const sent: Sent[] = [];
  const latenessMs: number[] = [];
  const running = new Set<Promise<void>>();
  const startedMs = performance.now();
  const now = (): number => performance.now() - startedMs;
  let [next, batches, waited] = [0, 0, false];
  while (next < due.length && now() < untilMs) {
    for (let dueMs = due[next]; dueMs !== undefined && dueMs <= now(); dueMs = due[next]) {
      // Spread evenly over all that are sent, so that each second has its share of both.
      const isBatch = batches < batchShare * (next + 1) - 0.5;
      const lines = isBatch ? batch : interactive;
      if (!lines.hasRoom) {
        waited = true;
        break;
      }
      next++;
      if (isBatch) batches++;
      if (!waited) latenessMs.push(now() - dueMs);
      const at = dueMs;
      const one = lines.ask().then((told) => {
        sent.push({ dueMs: at, endMs: now(), isBatch, ...told });
        running.delete(one);
      });
      running.add(one);
    }
    if (due[next] !== undefined && (due[next] ?? 0) > now()) waited = false;
    await delay(1);
  }
  // Whoever found no free connection to the end went away without an answer.
  for (const dueMs of due.slice(next)) sent.push({ dueMs, endMs: untilMs, status: 0, isBatch: false, hasRetryAfter: false });
  await Promise.all(running);
  for (const lines of [interactive, batch]) lines.close();
  return { sent, elapsedMs: now(), latenessMs };
}

const perform = (work: Work): Promise<Result> => (work.how === 'closed' ? closedLoop(work.target, work.clients, work.durationMs) : openLoop(work.target, work.steps, work.batchShare));

serveWork(perform);
