import type { ReplyFacts } from './reply-facts.ts';

/** What is known of a call only where its span is recorded, for the span of its operation. */
export interface TracedCall {
  genAiProvider: string;
  reply: ReplyFacts | null;
}
