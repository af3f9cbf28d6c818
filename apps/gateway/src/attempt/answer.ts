import type { Candidate } from '@deja/contracts';
import type { KeptReply, WholeReply } from './exchange.ts';
import type { AttemptFailure } from './failure.ts';
import type { RelayedStream } from './relayed-stream.ts';

/** An answer whose first content has arrived. From here on nobody else can take over. */
export type Answer =
  | { kind: 'whole'; candidate: Candidate; reply: WholeReply }
  | { kind: 'stream'; candidate: Candidate; head: string; stream: RelayedStream; finish: (failure: AttemptFailure | null) => Promise<void> };

/** What is to be kept of an answer that came to its end; null when there is nothing. */
export const keptReply = (answer: Answer): KeptReply | null => (answer.kind === 'whole' ? answer.reply : answer.stream.reader.kept());
