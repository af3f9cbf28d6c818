import { createHash } from 'node:crypto';

/** What one call of a client came to: `result`, or the class and status of its error. */
export interface Outcome {
  name: string;
  result?: unknown;
  error?: { class: string; status: number | null };
}

/** Makes one call and keeps its outcome; gives the result, or null where it failed, so that what builds upon it is tried anyhow. `shown` is what of it is compared. */
export type Caller = <T>(name: string, make: () => Promise<T>, shown?: (result: T) => unknown) => Promise<T | null>;

/** Ids as OpenAI's API writes them: a kind, and then anything. */
const ID = /^(chatcmpl|cmpl|resp|msg|fc|call|file|batch|modr|req|rs)[-_][\w-]+$/;
const TIMES = /^(created|.+_at)$/;

/**
 * The same value for two servers that answer alike: ids become `<resp 1>`, `<resp 2>` in order of appearance, so that one which comes twice
 * is still seen to be the same, and times become `<time>`. What a client's class adds privately is left out.
 */
export function normalised(value: unknown, ids = new Map<string, string>()): unknown {
  if (typeof value === 'string') return idOf(value, ids);
  if (Array.isArray(value)) return value.map((item) => normalised(item, ids));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([name]) => !name.startsWith('_'));
  return Object.fromEntries(fields.map(([name, field]) => [name, typeof field === 'number' && TIMES.test(name) ? '<time>' : normalised(field, ids)]));
}

function idOf(text: string, ids: Map<string, string>): string {
  const kind = ID.exec(text)?.[1];
  if (kind === undefined) return text;
  const known = ids.get(text) ?? `<${kind} ${[...ids.values()].filter((id) => id.startsWith(`<${kind} `)).length + 1}>`;
  ids.set(text, known);
  return known;
}

/** Bytes, as far as they are compared. */
export const digest = (bytes: Buffer): object => ({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
