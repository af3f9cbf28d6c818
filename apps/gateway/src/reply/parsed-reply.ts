import { AttemptFailure } from '../attempt/failure.ts';

/** A provider's whole reply as JSON; throws `malformed` when it is none. */
export function parsedReply(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
}
