import OpenAI from 'openai';
import type { TestCluster } from '@deja/testing';

export type Messages = OpenAI.Chat.ChatCompletionMessageParam[];

/** The official SDK, pointed at a cluster's first gateway or at another URL of it. Retries are the gateway's, not the SDK's. */
export const sdk = (cluster: TestCluster, url = cluster.url): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: cluster.key, maxRetries: 0, timeout: 30_000 });

export const ask = (content: string): Messages => [{ role: 'user', content }];

export interface Raw {
  status: number;
  headers: Headers;
  text: string;
  json: { error?: { message: string; type: string; param: string | null; code: string }; [field: string]: unknown };
}

/** One call without an SDK: any body, any header. */
export async function post(cluster: Pick<TestCluster, 'url' | 'key'>, body: string | object, headers: Record<string, string> = {}, path = '/v1/chat/completions'): Promise<Raw> {
  const response = await fetch(`${cluster.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
}

function jsonOf(text: string): Raw['json'] {
  try {
    return JSON.parse(text) as Raw['json'];
  } catch {
    return {}; // a stream, or nothing
  }
}

/** A streamed chat, read as it comes; `seen` is told what has come so far. */
export async function readStream(cluster: TestCluster, body: object, seen: (text: string) => void): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(`${cluster.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` }, body: JSON.stringify(body) });
  let text = '';
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) seen((text += piece));
  return { status: response.status, text, headers: response.headers };
}

export const chat = (content: string, more: object = {}): object => ({ model: 'gpt-4o-mini', messages: ask(content), ...more });

/** Waits for a condition and returns what it gave; fails with `what` when a look that began after the deadline gave nothing. */
export async function eventually<T>(what: string, find: () => Promise<T | null | undefined | false> | T | null | undefined | false, deadlineMs = 15_000): Promise<T> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const begun = Date.now();
    const found = await find();
    if (found) return found;
    if (begun > until) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export interface OperationRow {
  id: string;
  tenant: string;
  status: number;
  outcome: string;
  error_code: string | null;
  cache: string | null;
  usage_source: string;
  stream: boolean;
  requested_model: string;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  cost_nano_usd: string | null;
  saved_nano_usd: string | null;
  trace_id: string | null;
  user: string | null;
  tags: Record<string, string>;
}

export interface AttemptRow {
  operation_id: string;
  n: number;
  status: number | null;
  outcome: string;
  error_code: string | null;
  credential: string | null;
  usage_source: string;
  cost_nano_usd: string | null;
}

/** The ledger's row of an operation, as soon as it is there. */
export const operationRow = (cluster: TestCluster, id: string | null, deadlineMs?: number): Promise<OperationRow> =>
  eventually(`a ledger row for ${id}`, async () => (await cluster.sql<OperationRow & { [column: string]: unknown }>('select * from usage.operations where id = $1', [id]))[0], deadlineMs);

export const attemptRows = (cluster: TestCluster, id: string | null): Promise<AttemptRow[]> =>
  cluster.sql<AttemptRow & { [column: string]: unknown }>('select * from usage.attempts where operation_id = $1 order by n', [id]);
