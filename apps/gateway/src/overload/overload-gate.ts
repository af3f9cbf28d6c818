import type { IncomingHttpHeaders } from 'node:http';
import type { OverloadSettings } from '@deja/config';
import type { Priority } from '@deja/contracts';
import { ADMIN_IN_FLIGHT, BATCH_SHARE, LIMIT, LOOK_EVERY_MS, PATIENCE_MS, PRIORITY_MATTERS_SHARE } from './bounds.ts';
import { nextLimit } from './concurrency-limit.ts';
import { Lateness } from './lateness.ts';
import { Preparing } from './preparing.ts';
import { priorityOf } from './priority.ts';

/** Which bound refused it: on what is being prepared, which follows the event loop's lateness; on all requests there are; on admin calls. */
export type RefusalReason = 'late' | 'in_flight' | 'admin';

export interface Refused {
  reason: RefusalReason;
  priority: Priority;
}

export interface OverloadGateOptions {
  /** null: clients' requests are counted and never refused. */
  settings: OverloadSettings | null;
  /** Of the key in these headers, if this process knows it; at once. */
  keyPriority: (headers: IncomingHttpHeaders) => Priority | null;
  /** A clock that never goes back, ms. */
  now?: () => number;
}

/** Whether this process takes a request on. Decides from counts alone, before anything is done for the request. */
export class OverloadGate {
  readonly preparing = new Preparing();
  private readonly settings: OverloadSettings | null;
  private readonly keyPriority: OverloadGateOptions['keyPriority'];
  private readonly now: () => number;
  private readonly late: Lateness;
  private timer: NodeJS.Timeout | null = null;
  private adaptive: number = LIMIT.first;
  /** Since when the loop has been late without a break; null: it is not. */
  private lateSinceMs: number | null = null;
  private clients = 0;
  private admins = 0;

  constructor({ settings, keyPriority, now = () => performance.now() }: OverloadGateOptions) {
    this.settings = settings;
    this.keyPriority = keyPriority;
    this.now = now;
    this.late = new Lateness(now());
  }

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.timer.unref();
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** A look at the event loop: every LOOK_EVERY_MS, or as late as that comes. */
  look(): void {
    const nowMs = this.now();
    this.late.look(nowMs);
    if (this.settings === null) return;
    const { latenessMs: boundMs } = this.settings;
    this.lateSinceMs = this.late.ms < boundMs ? null : (this.lateSinceMs ?? nowMs);
    const next = nextLimit(this.adaptive, { latenessMs: this.late.ms, boundMs, peak: this.preparing.takePeak() });
    // Once it is low, it follows every look until it is where it began.
    const isBurst = this.adaptive >= LIMIT.first && (this.lateSinceMs === null || nowMs - this.lateSinceMs < PATIENCE_MS);
    if (next > this.adaptive || !isBurst) this.adaptive = next;
  }

  /** null: it is taken on, and `leave` is due at its end. */
  enter(headers: IncomingHttpHeaders, isForAdmin: boolean): Refused | null {
    if (isForAdmin) {
      if (this.admins >= ADMIN_IN_FLIGHT) return { reason: 'admin', priority: 'interactive' };
      this.admins++;
      return null;
    }
    const refused = this.settings === null ? null : this.refused(headers, this.settings);
    if (refused === null) this.clients++;
    return refused;
  }

  leave(isForAdmin: boolean): void {
    if (isForAdmin) this.admins--;
    else this.clients--;
  }

  /** How many may be prepared at once. */
  get limit(): number {
    return this.adaptive;
  }

  /** How late the event loop is, ms. */
  get latenessMs(): number {
    return this.late.ms;
  }

  /** Requests of clients, from their head to the end of their answer. */
  get inFlight(): number {
    return this.clients;
  }

  private refused(headers: IncomingHttpHeaders, { inFlight }: OverloadSettings): Refused | null {
    const preparing = this.preparing.count;
    const isBusy = preparing >= this.adaptive * PRIORITY_MATTERS_SHARE;
    if (!isBusy && this.clients < inFlight * PRIORITY_MATTERS_SHARE) return null;
    const priority = priorityOf(headers, this.keyPriority(headers));
    const share = priority === 'batch' ? BATCH_SHARE : 1;
    if (preparing >= this.adaptive * share) return { reason: 'late', priority };
    return this.clients >= inFlight * share ? { reason: 'in_flight', priority } : null;
  }
}
