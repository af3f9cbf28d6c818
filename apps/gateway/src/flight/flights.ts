import { InFlightMap } from '@deja/in-flight';
import type { KeptReply } from '../attempt/exchange.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import type { EntryMeta } from '../cache/entry.ts';
import type { QuestionPlace } from '../cache/question-place.ts';
import type { Operation } from '../operation/operation.ts';
import type { ApiRequest } from '../pipeline/endpoint.ts';
import type { SharedText } from './shared-text.ts';

interface StreamedContent {
  kind: 'stream';
  text: SharedText;
  /** What closes the stream after a clean end. */
  closing: () => string;
  /** As much of it as has come, put together; null where that is nothing. */
  soFar: () => KeptReply | null;
}

/** An answer that identical requests get together, from its first content on. */
export interface SharedAnswer {
  /** As the cache will have it; its usage is known at the end. */
  meta: EntryMeta;
  content: { kind: 'whole'; body: Buffer } | StreamedContent;
  /** With the usage, once it is known. Rejects when the answer broke off. */
  settled: Promise<EntryMeta>;
}

/** One upstream call that identical requests wait for: the first of them makes it, the others follow. */
export class Flight {
  private readonly landing = Promise.withResolvers<SharedAnswer | null>();
  private readonly leader: Operation;
  private readonly over: () => void;
  private followers = 0;
  private deserted = Promise.withResolvers<void>();

  constructor(leader: Operation, over: () => void) {
    this.leader = leader;
    this.over = over;
    leader.followed = this;
  }

  /** Whether somebody waits for it besides the leader's client. */
  get isWanted(): boolean {
    return this.followers > 0;
  }

  /** Its first content is there: from here on it is everybody's, however it ends. */
  answered(answer: SharedAnswer): void {
    answer.settled.catch(() => undefined); // it is for those who follow; nobody need
    this.landing.resolve(answer);
  }

  /** Nobody can join any more. Where it was not answered, nothing came of it, or nothing that is to be shared: one of the followers takes over. */
  failed(): void {
    this.over();
    this.landing.resolve(null);
  }

  /** Waits for the answer; null: there is none to be shared. `leave` must be called when it has been read, or is not wanted any more. Rejects when the follower's own client leaves. */
  async follow(operation: Operation): Promise<{ answer: SharedAnswer; leave: () => void } | null> {
    this.followers++;
    const gone = Promise.withResolvers<never>();
    gone.promise.catch(() => undefined); // it may come when nobody waits any more
    let left = false;
    const leave = (): void => {
      if (!left) this.left();
      left = true;
      operation.signal.removeEventListener('abort', cancelled);
    };
    // Whoever waits for the next piece of a stream must be seen to leave too.
    const cancelled = (): void => {
      gone.reject(new AttemptFailure('cancelled'));
      leave();
    };
    operation.signal.addEventListener('abort', cancelled, { once: true });
    if (operation.signal.aborted) cancelled();
    try {
      const answer = await Promise.race([this.landing.promise, gone.promise]);
      if (answer !== null) return { answer, leave };
      leave();
      return null;
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Resolves when no follower is left. */
  async whenDeserted(): Promise<void> {
    if (this.followers > 0) await this.deserted.promise;
  }

  private left(): void {
    this.followers--;
    if (this.followers > 0) return;
    this.deserted.resolve();
    this.deserted = Promise.withResolvers();
    // The leader's client may have left before: now nobody wants the answer.
    if (this.leader.abandoned) this.leader.abandon();
  }
}

/** Upstream calls of this process that others may join. */
export class Flights {
  private readonly underWay = new InFlightMap<string, Flight>();

  /** null: nobody asks this at the moment. */
  underWayFor(key: string): Flight | null {
    return this.underWay.get(key) ?? null;
  }

  begin(key: string, leader: Operation): Flight {
    const flight = new Flight(leader, () => {
      if (this.underWay.get(key) === flight) this.underWay.delete(key);
    });
    this.underWay.set(key, flight);
    return flight;
  }
}

/** Requests of one key may share an answer: the cache would serve it to each of them, and they want it in the same form. null: this one shares none. */
export function flightKey({ stream, body }: Pick<ApiRequest, 'stream' | 'body'>, { exactKey, rules, wishes, cache }: QuestionPlace): string | null {
  if (exactKey === null || cache === 'BYPASS' || !wishes.read || !wishes.write) return null;
  return JSON.stringify([exactKey, rules, stream, stream ? (body.value['stream_options'] ?? null) : null]);
}
