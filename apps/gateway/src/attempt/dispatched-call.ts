import type { Readable } from 'node:stream';
import { errors, type Dispatcher } from 'undici';
import { AttemptFailure, type ReplyHeaders } from './failure.ts';
import { ReplyBody } from './reply-body.ts';

/** The beginning of an answer; its body is still to come. */
export interface ReplyHead {
  status: number;
  headers: ReplyHeaders;
  body: ReplyBody;
}

/**
 * One call on its way through undici, as its handler: `undici.request` makes a stream, a resource and a few listeners for each answer,
 * and lets nobody go while a call still waits for a connection. Here whoever waits is told at once that the client left, that a
 * deadline passed, or that there was no connection within `connectMs`.
 */
export class DispatchedCall implements Dispatcher.DispatchHandler {
  /** Rejects with an AttemptFailure. */
  readonly head: Promise<ReplyHead>;
  private readonly settle: Pick<PromiseWithResolvers<ReplyHead>, 'resolve' | 'reject'>;
  private readonly signal: AbortSignal;
  private readonly upload: Readable | null;
  private controller: Dispatcher.DispatchController | null = null;
  private body: ReplyBody | null = null;
  private failure: AttemptFailure | null = null;
  private isOver = false;
  private connecting: NodeJS.Timeout | null;

  /** `upload`: a body that is still being read, and is let go of when the call fails. */
  constructor(signal: AbortSignal, upload: Readable | null, connectMs: number) {
    const { promise, ...settle } = Promise.withResolvers<ReplyHead>();
    this.head = promise;
    this.settle = settle;
    this.signal = signal;
    this.upload = upload;
    this.connecting = setTimeout(() => setImmediate(() => this.stillConnecting(connectMs)), connectMs);
    signal.addEventListener('abort', this.aborted);
    if (signal.aborted) this.aborted();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Not `abort`, which would take the connection with it, although nothing was sent.
    if (this.failure !== null) throw this.failure;
    this.controller = controller;
    this.hasConnection();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    if (status < 200 || this.failure !== null) return; // more is to come, or nobody waits for it
    this.body = new ReplyBody({
      pause: () => controller.pause(),
      resume: () => controller.resume(),
      closed: () => this.closed(),
    });
    this.settle.resolve({ status, headers, body: this.body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.body?.push(chunk);
  }

  onResponseEnd(): void {
    this.isOver = true;
    this.body?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: unknown): void {
    this.isOver = true;
    this.fail(failureOfError(error, this.signal));
  }

  private readonly aborted = (): void => this.end(failureOfError(this.signal.reason, this.signal));

  /** Timers that are due come before what has arrived in the meantime: in a process that was busy there may be a connection by now. */
  private stillConnecting(connectMs: number): void {
    if (this.connecting !== null) this.end(failureOfError(new errors.ConnectTimeoutError(`no connection within ${connectMs} ms`), this.signal));
  }

  /** Nobody reads the body any more. */
  private closed(): void {
    this.signal.removeEventListener('abort', this.aborted);
    if (!this.isOver) this.end(new AttemptFailure('cancelled'));
  }

  private end(failure: AttemptFailure): void {
    this.fail(failure);
    if (!this.isOver) this.controller?.abort(failure);
  }

  private fail(failure: AttemptFailure): void {
    if (this.failure !== null) return;
    this.failure = failure;
    this.hasConnection();
    this.signal.removeEventListener('abort', this.aborted);
    this.upload?.on('error', () => undefined).destroy(failure);
    if (this.body === null) this.settle.reject(failure);
    else this.body.fail(failure);
  }

  private hasConnection(): void {
    if (this.connecting !== null) clearTimeout(this.connecting);
    this.connecting = null;
  }
}

/** Whose fault a broken call is: the client's leave, a deadline, or the network. */
export function failureOfError(error: unknown, signal: AbortSignal): AttemptFailure {
  if (error instanceof AttemptFailure) return error;
  if (signal.aborted) return signal.reason instanceof AttemptFailure ? signal.reason : new AttemptFailure('cancelled', { cause: error });
  // A connection that never came about is the network's; nothing was asked of the provider.
  const timedOut = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
  return new AttemptFailure(timedOut ? 'timeout' : 'network', { cause: error });
}
