import type { ServerResponse } from 'node:http';
import type { RoutingSnapshot } from '@deja/contracts';
import { AttemptFailure } from '../attempt/failure.ts';
import { RelayedStream } from '../attempt/relayed-stream.ts';
import { Transcript } from '../attempt/transcript.ts';
import { failureOfError } from '../attempt/upstream.ts';
import type { QueryPairs } from '../dialects/openai/address.ts';
import { BlockedByRule } from '../guard/blocked-by-rule.ts';
import type { Guard } from '../guard/guard.ts';
import type { Operation } from '../operation/operation.ts';
import { StreamedReply } from '../reply/streamed-reply.ts';
import { guardedResponse, spokenInResponse } from '../responses/guarded-response.ts';
import { NativeResponseReader } from '../responses/response-readers.ts';
import { asResponse } from '../responses/response-stream.ts';
import { RESPONSES } from '../responses/responses.endpoint.ts';
import { NOTHING_USED, type RawAnswer } from './raw-call.ts';

/**
 * A stored response on its way to the client again. The provider has it as the model gave it, so what holds for answers holds here too: else a
 * redacted answer could be fetched unredacted, and one that was made in the background would never be looked at.
 */
export class StoredResponse {
  constructor(
    private readonly guard: Guard,
    private readonly operation: Operation,
    private readonly snapshot: RoutingSnapshot,
  ) {}

  /** Whether anybody looks at answers. */
  get isWatched(): boolean {
    return this.guard.answers(this.operation, this.snapshot) !== null || this.guard.moderatesAnswers(this.snapshot);
  }

  /** The reply as the client may see it; the same bytes where nothing changes. Throws what content rules and moderation throw. */
  async whole(bytes: Buffer, json: Record<string, unknown>): Promise<Buffer> {
    const response = asResponse(json);
    if (response === null) return bytes;
    const rules = this.guard.answers(this.operation, this.snapshot);
    const treated = rules === null ? response : guardedResponse(response, rules);
    await this.guard.moderateAnswer(RESPONSES, this.operation, spokenInResponse(treated), this.snapshot);
    return treated === response ? bytes : Buffer.from(JSON.stringify(treated));
  }

  /** The same for its events. Rejects with an AttemptFailure or a BlockedByRule when they break off. */
  async stream({ reply, call, candidate, credential }: RawAnswer, query: QueryPairs, response: ServerResponse): Promise<void> {
    const { guard, operation, snapshot } = this;
    operation.servedModel = candidate.model;
    call.record.usage = NOTHING_USED;
    const after = query.find(([name]) => name === 'starting_after')?.[1];
    const watched = guard.moderatesAnswers(snapshot);
    const reader = new NativeResponseReader(false, guard.answers(operation, snapshot), new Transcript(watched), after === undefined ? -1 : Number(after));
    const pieces = new RelayedStream(reply.body, reader, credential).all('');
    const told = new StreamedReply(response, operation, snapshot.settings);
    try {
      for await (const text of watched ? guard.moderateStream(RESPONSES, operation, pieces, () => reader.takeText(), snapshot) : pieces) if (text !== '') await told.send(text);
      call.finish(null);
      await told.end('');
      operation.captured?.streamed(() => reader.kept());
    } catch (error) {
      call.finish(operation.abandoned ? new AttemptFailure('cancelled') : failureOfError(error, call.signal));
      operation.captured?.streamed(() => reader.kept(), { shapeOnly: error instanceof BlockedByRule });
      throw error;
    }
  }
}
