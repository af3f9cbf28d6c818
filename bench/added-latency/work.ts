import { question, QUESTIONS } from '../semantic/questions.ts';

/** Where requests go: 127.0.0.1. */
export interface Target {
  port: number;
  key: string;
  /** `/v1/chat/completions` unless given. */
  path?: string;
  /** Beside those that every request has. */
  headers?: Record<string, string>;
}

/**
 * What is asked, always of about 1 KB, never twice the same unless `repeat`:
 * `whole`: a prompt nobody has sent before, so that its scope has no semantic entries. `similar`: the prompt is known, the question is new, so the
 * semantic cache is asked. `crowded`: likewise, of another prompt, with questions each of which looks like hundreds of the others. `reworded`: a question of
 * `crowded` put in other words, the first of them first. `repeat`: the same request again and again. `stream`: as `whole`, its answer streamed in one go.
 * `paced`: streamed with a pause of 1 ms after each piece. `steady`: with one of 20 ms, as models write.
 */
export const KINDS = ['whole', 'similar', 'crowded', 'repeat', 'reworded', 'stream', 'paced', 'steady'] as const;
export type Kind = (typeof KINDS)[number];

/**
 * One piece of work for the load generator, over `connections`: `count` requests one after another, or as many as go through in `durationMs`, or
 * `perSecond` for `durationMs`, begun by the clock, however long the earlier ones take; then there are as many connections as that needs.
 */
export interface Work {
  target: Target;
  kind: Kind;
  connections: number;
  count?: number;
  durationMs?: number;
  perSecond?: number;
  /** What `x-cache` must say; null for a target that is no cache; anything unless given. */
  expectCache?: string | null;
}

export interface Result {
  /** Of each request, to its last byte, ms. With `perSecond` from when it was due, so that waiting for a free connection counts. */
  durationsMs: number[];
  /** Of each request, to the first byte of its answer's body, ms. */
  firstByteMs: number[];
  /** Of each request, the longest time between two pieces of its answer's body, ms. */
  longestGapMs: number[];
  elapsedMs: number;
  /** How often `x-cache-reason` said what. */
  reasons: Record<string, number>;
  /** How often `x-cache`, and its reason, were others than expected. These requests count like all. */
  unexpected: Record<string, number>;
}

export const MODEL = 'gpt-4o-mini';
/** Models whose answers are streamed with a pause, ms. */
export const PAUSES_MS: Record<string, number> = { 'gpt-4o-mini-paced': 1, 'gpt-4o-mini-steady': 20 };
const MODELS: Partial<Record<Kind, string>> = { paced: 'gpt-4o-mini-paced', steady: 'gpt-4o-mini-steady' };
const STREAMED: ReadonlySet<Kind> = new Set(['stream', 'paced', 'steady']);

const RULES = 'You are the assistant of a company that sells bicycles and parts for them. Answer in at most three sentences. Never invent a price. '.repeat(5);
const PROMPTS: Partial<Record<Kind, string>> = { similar: RULES, repeat: RULES, crowded: `${RULES} You answer questions about its app.`, reworded: `${RULES} You answer questions about its app.` };

/** The n-th body of its kind; `mark` is another one for each body, of whatever kind and process. */
export function bodyOf(kind: Kind, mark: string, n: number): string {
  return JSON.stringify({
    model: MODELS[kind] ?? MODEL,
    messages: [
      { role: 'system', content: PROMPTS[kind] ?? `${RULES} Customer ${mark}.` },
      { role: 'user', content: userText(kind, mark, n) },
    ],
    temperature: 0.2,
    ...(STREAMED.has(kind) && { stream: true }),
  });
}

function userText(kind: Kind, mark: string, n: number): string {
  if (kind === 'repeat') return 'Which tyre fits a 28 inch wheel?';
  if (kind === 'crowded') return shuffled(n);
  if (kind === 'reworded') return `Please, ${shuffled(n).replace(/^./, (letter) => letter.toLowerCase())}`;
  return `Which spare parts fit the bicycle with the frame number ${mark}?`;
}

/** Coprime with the number of questions: neighbours in the order of asking differ in more than a word. */
const STRIDE = 7919;
let questions: string[] = [];

/** The n-th of 40,500 questions no two of which ask the same. Without those that name a time, which are none for a semantic cache, and one of two ways to begin that mean "how". */
function shuffled(n: number): string {
  if (questions.length === 0) questions = Array.from({ length: QUESTIONS }, (_, at) => question(at)).filter((text) => !/the time zone|^What does it take/.test(text));
  return questions[(n * STRIDE) % questions.length] ?? '';
}
