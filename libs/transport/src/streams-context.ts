import { BaseRpcContext } from '@nestjs/microservices';

/** One delivery of one message. */
export interface Delivery {
  pattern: string;
  /** Id of the stream entry. */
  entryId: string;
  /** 1 the first time. A request is never delivered twice. */
  deliveries: number;
  /** When the caller stops waiting, in this process's Unix milliseconds; null for an event. */
  deadlineMs: number | null;
  /** When the signal aborts: the deadline, or when the handling of an event is given up. This process's Unix milliseconds. */
  abortAtMs: number;
}

/** The reason of an aborted signal; named like the platform's own. */
export class HandlingAborted extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'AbortError';
  }
}

/** What a handler may know of the message it handles: `@Ctx() context: StreamsContext`. */
export class StreamsContext extends BaseRpcContext<[Delivery]> {
  #controller: AbortController | null = null;
  #timer: NodeJS.Timeout | null = null;
  #reason: HandlingAborted | null = null;

  get pattern(): string {
    return this.args[0].pattern;
  }

  /** Id of the stream entry. */
  get entryId(): string {
    return this.args[0].entryId;
  }

  /** 1 the first time; more when an event failed before, or its replica died. */
  get deliveries(): number {
    return this.args[0].deliveries;
  }

  /** When the caller stops waiting, in this process's Unix milliseconds; null for an event. */
  get deadlineMs(): number | null {
    return this.args[0].deadlineMs;
  }

  /** Aborts when the caller gave up, its deadline passed, an event took too long, or this service is stopping for good. Made when first asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller !== null) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    if (this.#reason !== null) controller.abort(this.#reason);
    else this.#timer = setTimeout(() => this.abort('the deadline is over'), Math.max(0, this.args[0].abortAtMs - Date.now()));
    return controller.signal;
  }

  /** Whether nobody waits for the outcome any more. */
  get isOver(): boolean {
    return this.#reason !== null || Date.now() >= this.args[0].abortAtMs;
  }

  abort(reason: string): void {
    if (this.#reason !== null) return;
    this.#reason = new HandlingAborted(reason);
    this.end();
    this.#controller?.abort(this.#reason);
  }

  /** The handler is done: there is nothing left to abort. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
