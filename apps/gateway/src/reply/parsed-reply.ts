import { AttemptFailure } from '../attempt/failure.ts';
import { boundedJson } from '../dialects/bounded-json.ts';

/** A provider's whole reply as JSON; throws `malformed` when it is none. */
export function parsedReply(body: Buffer): unknown {
  try {
    return boundedJson(body.toString('utf8'));
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
}
