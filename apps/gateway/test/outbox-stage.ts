import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { metrics } from '@opentelemetry/api';
import { gatewayAcceptedKey, newId, type AttemptRecord, type LateAttempt, type OpenOperation, type OperationRecord, type UsageEvent, type UsageJobData } from '@deja/contracts';
import { openPipeline } from '@deja/redis';
import { RedisProcess } from '@deja/testing';
import { AcceptedCounts } from '../src/settle/accepted.ts';
import { OutboxMetrics } from '../src/settle/metrics.ts';
import { Outbox } from '../src/settle/outbox.ts';
import { QueueBound } from '../src/settle/queue-bound.ts';
import { lineId } from '../src/settle/spool-lines.ts';
import { Spool } from '../src/settle/spool.ts';

export const open = (id = newId()): OpenOperation => ({
  kind: 'open', id, tenant: 't', key: 'k', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'm', stream: false, receivedAtMs: Date.now(), estimatedPromptTokens: 1, traceId: null,
});
export const settled = (id = newId()): OperationRecord => ({ ...open(id), kind: 'settled' }) as unknown as OperationRecord;
export const late = (operation = newId()): LateAttempt => ({ kind: 'late_attempt', operation, tenant: 't', attempt: { id: newId(), n: 0, shadow: true } as AttemptRecord });

/** Whether each of these was queued, at least once. */
export const all = (records: OperationRecord[], queued: string[]): boolean => new Set(queued).size === records.length;

const eventsOf = (data: UsageJobData): UsageEvent[] => JSON.parse(zstdDecompressSync(Buffer.from(data.z, 'base64')).toString()) as UsageEvent[];

/** Outboxes with a Redis and a disk of their own; the queue is the test's. */
export class OutboxStage {
  readonly server: RedisProcess;
  readonly dir = mkdtempSync(join(tmpdir(), 'deja-spool-'));

  private constructor(server: RedisProcess) {
    this.server = server;
  }

  static async start(): Promise<OutboxStage> {
    return new OutboxStage(await RedisProcess.start());
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** An outbox and what it is surrounded by; `queue` says whether jobs are taken, and when; how many wait already, and what may. */
  outbox(instance: string, given: { spoolBytes?: number; spoolDir?: string } = {}) {
    const queued: string[] = [];
    const errors: object[] = [];
    const queue = { up: true, jobs: 0, maxBytes: 1_000_000, until: Promise.resolve() };
    const limits = { spoolBytes: given.spoolBytes ?? 10_000_000 };
    const bound = new QueueBound({ look: () => Promise.resolve({ jobs: queue.jobs, jobBytes: 1000 }), maxBytes: () => queue.maxBytes, replicas: () => 1 });
    const accepted = new AcceptedCounts(instance);
    const box = new Outbox(
      this.server.client,
      async (data) => {
        await queue.until;
        if (!queue.up) throw new Error('queue is away');
        queued.push(...eventsOf(data).map(lineId));
      },
      this.spool(given.spoolDir ?? instance, instance, () => limits.spoolBytes),
      { instance, leaseS: 60, accepted, queue: bound, metrics: new OutboxMetrics(metrics.getMeter('test')), logger: { info: () => undefined, warn: () => undefined, error: (fields: object) => void errors.push(fields) } },
    );
    return { box, queued, queue, limits, bound, accepted, errors };
  }

  spool(name: string, instance = name, maxBytes = (): number => 10_000_000): Spool {
    return new Spool(join(this.dir, name), instance, maxBytes);
  }

  /** A spool's folder, empty, for files of others. */
  folder(name: string): string {
    this.spool(name).append([]);
    for (const file of this.filesIn(name)) rmSync(join(this.dir, name, file));
    return join(this.dir, name);
  }

  filesIn(name: string): string[] {
    return existsSync(join(this.dir, name)) ? readdirSync(join(this.dir, name)) : [];
  }

  /** As settlement does it. */
  async settle(box: Outbox, record: OperationRecord): Promise<void> {
    const pipeline = openPipeline(this.server.client);
    const text = box.queue(pipeline, record);
    box.settled(record, await pipeline.exec().then((replies) => replies?.every(([error]) => error === null) ?? false, () => false), text);
  }

  /** Operations that Redis says a process accepted. */
  async counted(instance: string): Promise<number> {
    const fields = await this.server.client.hgetall(gatewayAcceptedKey(instance));
    return Object.entries(fields).filter(([field]) => /^\d+$/.test(field)).reduce((sum, [, count]) => sum + Number(count), 0);
  }
}
