import { setTimeout as delay } from 'node:timers/promises';
import { isPassing } from '@deja/postgres';
import type { Logger } from '@deja/telemetry';
import { readCaptures, type NewCapture } from './capture-batch.ts';
import type { CaptureMetrics } from './capture-metrics.ts';
import type { CaptureStore, Kept } from './capture-store.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** Data exception, integrity violation, program limit: the row's fault, not the database's state. */
const ROW_FAULTS = new Set(['22', '23', '54']);

export interface CaptureWriterParts {
  store: Pick<CaptureStore, 'keep'>;
  metrics: CaptureMetrics;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** For how long bodies are kept; null while that is not known. */
  retentionDays: () => number | null;
}

/** Keeps what jobs on the queue of captures hold. What cannot be kept is dropped and counted; while Postgres is away, everyone waits. */
export class CaptureWriter {
  private readonly parts: CaptureWriterParts;
  private isHealthy = true;

  constructor(parts: CaptureWriterParts) {
    this.parts = parts;
  }

  /** Resolves to true when all of a job's data is kept or will never be; to false when `signal` aborted before. Never rejects. */
  async keep(data: unknown, nowMs: number, signal: AbortSignal): Promise<boolean> {
    const { metrics, logger, retentionDays } = this.parts;
    const { captures, expired, rejected } = readCaptures(data, { nowMs, retentionDays: retentionDays() });
    const kept = await this.keepAll(captures, signal);
    if (kept === null) return false;
    for (const reason of [...rejected, ...kept.rejected]) logger.warn({ reason }, 'a captured body cannot be kept and was dropped');
    metrics.count('expired', expired);
    metrics.count('rejected', rejected.length + kept.rejected.length);
    metrics.count('stored', kept.stored);
    metrics.count('erased', kept.erased);
    metrics.count('duplicate', captures.length - kept.stored - kept.erased - kept.rejected.length);
    return true;
  }

  /** Tries until it works; null when it was stopped before. */
  private async keepAll(captures: NewCapture[], signal: AbortSignal): Promise<KeptOrNot | null> {
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const kept = await this.keepWhatCanBe(captures);
        if (!this.isHealthy) this.parts.logger.info({}, 'captured bodies are kept again');
        this.isHealthy = true;
        return kept;
      } catch (error) {
        if (this.isHealthy) this.complain(error);
        this.isHealthy = false;
        await delay(pauseMs, undefined, { signal }).catch(() => undefined); // stopped: the loop ends
      }
    }
    return null;
  }

  /** Where one row spoils it, each by itself, so that the rest is kept. */
  private async keepWhatCanBe(captures: NewCapture[]): Promise<KeptOrNot> {
    try {
      return { ...(await this.parts.store.keep(captures)), rejected: [] };
    } catch (error) {
      if (!isRowFault(error)) throw error;
      const [only, ...others] = captures;
      if (only === undefined || others.length === 0) return { stored: 0, erased: 0, rejected: [`Postgres refuses it: ${(error as Error).message}`] };
      const all: KeptOrNot = { stored: 0, erased: 0, rejected: [] };
      for (const capture of captures) {
        const { stored, erased, rejected } = await this.keepWhatCanBe([capture]);
        all.stored += stored;
        all.erased += erased;
        all.rejected.push(...rejected);
      }
      return all;
    }
  }

  private complain(error: unknown): void {
    if (isPassing(error)) this.parts.logger.warn({ err: error }, 'Postgres does not take captured bodies; they are held and tried again');
    else this.parts.logger.error({ err: error }, 'captured bodies cannot be kept; they are held and tried again');
  }
}

interface KeptOrNot extends Kept {
  /** Why Postgres does not take them. */
  rejected: string[];
}

function isRowFault(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code.length === 5 && ROW_FAULTS.has(code.slice(0, 2));
}
