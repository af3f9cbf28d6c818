/** Where requests go. */
export interface Target {
  port: number;
  key: string;
}

/**
 * What is asked, always of about 1 KB, never twice the same unless `repeat`:
 * `whole`: a prompt nobody has sent before. `similar`: the prompt is known, the question is new, so the semantic cache is asked.
 * `repeat`: the same request again and again. `stream`: as `whole`, its answer streamed in one go. `paced`: streamed with a pause after each piece.
 */
export const KINDS = ['whole', 'similar', 'repeat', 'stream', 'paced'] as const;
export type Kind = (typeof KINDS)[number];

/** One piece of work for the load generator: `count` requests one after another, or as many as go through in `durationMs`, over `connections`. */
export interface Work {
  target: Target;
  kind: Kind;
  connections: number;
  count?: number;
  durationMs?: number;
  /** What `x-cache` must say; null for a target that is no gateway. */
  expectCache: string | null;
}

export interface Result {
  /** Of each request, to its last byte, ms. */
  durationsMs: number[];
  /** Of each request, to the first byte of its answer's body, ms. */
  firstByteMs: number[];
  elapsedMs: number;
}

export const PACED_MODEL = 'gpt-4o-mini-paced';
export const MODEL = 'gpt-4o-mini';

const RULES = 'You are the assistant of a company that sells bicycles and parts for them. Answer in at most three sentences. Never invent a price. '.repeat(5);

/** The n-th body of its kind. */
export function bodyOf(kind: Kind, n: string): string {
  const streamed = kind === 'stream' || kind === 'paced';
  return JSON.stringify({
    model: kind === 'paced' ? PACED_MODEL : MODEL,
    messages: [
      { role: 'system', content: kind === 'similar' || kind === 'repeat' ? RULES : `${RULES} Customer ${n}.` },
      { role: 'user', content: kind === 'repeat' ? 'Which tyre fits a 28 inch wheel?' : `Which spare parts fit the bicycle with the frame number ${n}?` },
    ],
    temperature: 0.2,
    ...(streamed && { stream: true }),
  });
}
