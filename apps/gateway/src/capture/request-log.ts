import { setImmediate as turn } from 'node:timers/promises';
import type { CapturedExchange, CapturedPart } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { Operation } from '../operation/operation.ts';
import type { CaptureMetrics } from './capture-metrics.ts';
import type { CaptureQueue } from './capture-queue.ts';
import type { Captured } from './captured.ts';
import { requestText, responseText, searchTextOf, type ClearText } from './captured-text.ts';
import type { DataKey, DataKeys } from './data-keys.ts';
import { sealBody } from './seal.ts';

/** What was noted of one operation, in clear: it is nowhere but in this process's memory. */
interface Noted {
  operation: string;
  tenant: string;
  mode: 'metadata' | 'full';
  /** null once the texts are taken from it. */
  captured: Captured | null;
  texts: Texts | null;
  /** About what it holds of memory. */
  bytes: number;
  sinceMs: number;
}

/** What is to be sealed of it, so that the bodies it was taken from can be let go. */
interface Texts {
  request: ClearText | null;
  response: ClearText | null;
  searchText: string | null;
}

export interface RequestLogOptions {
  /** What may wait in clear for its key; more is dropped. */
  mostWaitingBytes: number;
  /** How long it waits. */
  mostWaitMs: number;
  retryMs: number;
  now: () => number;
}

const DEFAULTS: RequestLogOptions = { mostWaitingBytes: 32 * 1024 * 1024, mostWaitMs: 30_000, retryMs: 1_000, now: Date.now };
/** An operation without bodies holds something too. */
const LEAST_BYTES = 1024;
/** So much, as it is held, is sealed before requests have their turn again: about a millisecond's work. */
const BYTES_AT_ONCE = 64 * 1024;

/**
 * Takes what was captured of settled operations, seals it under its tenant's data key, one after another and beside the requests, and hands it to the
 * queue. Nothing waits for it: what cannot be sealed in time, or does not fit, is dropped and counted. In clear it never leaves this process.
 */
export class RequestLog {
  private readonly keys: Pick<DataKeys, 'current' | 'fetch'>;
  private readonly queue: Pick<CaptureQueue, 'take' | 'close'>;
  private readonly metrics: CaptureMetrics;
  private readonly logger: Pick<Logger, 'error'>;
  private readonly ready: Noted[] = [];
  /** By tenant: what waits for its key. */
  private readonly parked = new Map<string, Noted[]>();
  private waitingBytes = 0;
  private working: Promise<void> | null = null;
  private readonly retries = new Map<string, NodeJS.Timeout>();
  private closing = false;
  private readonly o: RequestLogOptions;

  constructor(keys: Pick<DataKeys, 'current' | 'fetch'>, queue: Pick<CaptureQueue, 'take' | 'close'>, metrics: CaptureMetrics, logger: Pick<Logger, 'error'>, o: Partial<RequestLogOptions> = {}) {
    this.keys = keys;
    this.queue = queue;
    this.metrics = metrics;
    this.logger = logger;
    this.o = { ...DEFAULTS, ...o };
  }

  /** Of a settled operation. Never throws. */
  take({ id, principal, captured }: Pick<Operation, 'id' | 'principal' | 'captured'>): void {
    if (principal === null || captured === null) return;
    const mode = captured.modeFor(principal);
    if (mode === 'none') return;
    const bytes = heldBytes(captured);
    if (this.waitingBytes + bytes > this.o.mostWaitingBytes) return this.metrics.count('dropped', 1);
    this.waitingBytes += bytes;
    this.ready.push({ operation: id, tenant: principal.tenant, mode, captured, texts: null, bytes, sinceMs: this.o.now() });
    this.work();
  }

  /** Seals and hands over what is there. What has no key by then is dropped. */
  async close(): Promise<void> {
    this.closing = true;
    for (const timer of this.retries.values()) clearTimeout(timer);
    this.retries.clear();
    await this.working;
    await Promise.all([...this.parked.keys()].map((tenant) => this.unpark(tenant)));
    while (this.working !== null) await this.working;
    this.drop([...this.parked.values()].flat());
    this.parked.clear();
    await this.queue.close();
  }

  private work(): void {
    this.working ??= this.sealAll().finally(() => {
      this.working = null;
      if (this.ready.length > 0) this.work();
    });
  }

  private async sealAll(): Promise<void> {
    for (;;) {
      await turn(); // requests go first
      for (let left = BYTES_AT_ONCE; left > 0; ) {
        const noted = this.ready.shift();
        if (noted === undefined) return;
        left -= noted.bytes;
        const key = this.keys.current(noted.tenant);
        if (key === null) this.park(noted);
        else await this.seal(noted, key);
      }
    }
  }

  private async seal(noted: Noted, key: DataKey): Promise<void> {
    try {
      this.queue.take(await this.sealed(noted, key));
    } catch (error) {
      this.logger.error({ err: error, request_id: noted.operation }, 'what was captured of a request could not be sealed; it is dropped');
      this.metrics.count('dropped', 1);
    } finally {
      this.waitingBytes -= noted.bytes;
    }
  }

  private async sealed(noted: Noted, { id, key }: DataKey): Promise<CapturedExchange> {
    const { operation, tenant, mode } = noted;
    const body = async (text: ClearText | null, part: CapturedPart): Promise<CapturedExchange['request']> => {
      if (text === null) return null;
      const sealed = await sealBody(text, key, { tenant, operation, part });
      this.metrics.sealed(text.bytes.length, Math.floor((sealed.sealed.length * 3) / 4));
      return sealed;
    };
    const texts = textsOf(noted);
    return { operation, tenant, mode, dataKey: id, request: await body(texts.request, 'request'), response: await body(texts.response, 'response'), searchText: texts.searchText };
  }

  /** What waits holds no more than what is to be sealed of it: not the bodies, and not what was parsed of them. */
  private park(noted: Noted): void {
    try {
      noted.texts = textsOf(noted);
      noted.captured = null;
    } catch (error) {
      this.logger.error({ err: error, request_id: noted.operation }, 'what was captured of a request cannot be written down; it is dropped');
      return this.drop([noted]);
    }
    this.waitingBytes -= noted.bytes;
    noted.bytes = bytesOf(noted.texts);
    this.waitingBytes += noted.bytes;
    if (this.waitingBytes > this.o.mostWaitingBytes) return this.drop([noted]);
    const parked = this.parked.get(noted.tenant);
    if (parked !== undefined) {
      parked.push(noted);
      return;
    }
    this.parked.set(noted.tenant, [noted]);
    if (!this.closing) void this.unpark(noted.tenant);
  }

  /** Fetches the key that a tenant's captures wait for; tried again until they are too old. */
  private async unpark(tenant: string): Promise<void> {
    this.retries.delete(tenant);
    const outcome = await this.keys.fetch(tenant);
    const parked = this.parked.get(tenant) ?? [];
    if (outcome === 'held' && this.keys.current(tenant) !== null) {
      this.parked.delete(tenant);
      this.ready.push(...parked);
      return this.work();
    }
    const oldestMs = this.o.now() - this.o.mostWaitMs;
    const waits = (noted: Noted): boolean => outcome !== 'gone' && !this.closing && noted.sinceMs > oldestMs;
    this.drop(parked.filter((noted) => !waits(noted)));
    const left = parked.filter(waits);
    if (left.length === 0) this.parked.delete(tenant);
    else {
      this.parked.set(tenant, left);
      this.retries.set(tenant, setTimeout(() => void this.unpark(tenant), this.o.retryMs).unref());
    }
  }

  private drop(noted: Noted[]): void {
    for (const { bytes } of noted) this.waitingBytes -= bytes;
    this.metrics.count('dropped', noted.length);
  }
}

const NO_TEXTS: Texts = { request: null, response: null, searchText: null };

function textsOf({ captured, texts, mode }: Noted): Texts {
  if (captured === null) return texts ?? NO_TEXTS;
  return { request: requestText(captured, mode), response: responseText(captured, mode), searchText: searchTextOf(captured, mode) };
}

/** A request that was parsed is there as its text and as its values, which are about twice as long. */
function heldBytes({ request, response }: Captured): number {
  const parsed = request?.value === undefined ? 1 : 3;
  return LEAST_BYTES + (request?.text.length ?? 0) * parsed + (response?.text.length ?? 0);
}

const bytesOf = ({ request, response, searchText }: Texts): number => LEAST_BYTES + (request?.bytes.length ?? 0) + (response?.bytes.length ?? 0) + (searchText?.length ?? 0);
