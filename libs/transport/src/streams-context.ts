import { BaseRpcContext } from '@nestjs/microservices';

/** What a handler may know of the message it handles: `@Ctx() context: StreamsContext`. */
export class StreamsContext extends BaseRpcContext<[pattern: string, entryId: string, signal: AbortSignal, deadlineMs: number | null]> {
  get pattern(): string {
    return this.args[0];
  }

  /** Id of the stream entry. */
  get entryId(): string {
    return this.args[1];
  }

  /** Aborts when the caller gave up, its deadline passed, or this service is stopping for good. */
  get signal(): AbortSignal {
    return this.args[2];
  }

  /** When the caller stops waiting, in this process's Unix milliseconds; null for an event. */
  get deadlineMs(): number | null {
    return this.args[3];
  }
}
