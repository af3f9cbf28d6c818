import { setTimeout as delay } from 'node:timers/promises';
import type { TestCluster } from '@deja/testing';
import { ask, eventually } from './client.ts';

/** A reply as a test of limits looks at it. Status 0: there was none. */
export interface Sent {
  status: number;
  id: string | null;
  headers: Headers;
  text: string;
  error: { message: string; type: string; code: string } | null;
}

/** To whom, with what, besides an ordinary question. */
export interface Sending {
  key: string;
  /** 0 for the first. */
  gateway?: number;
  model?: string;
  content?: string;
  /** Members of the body. */
  more?: object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Comes again where nobody could decide about a limit or budget that is `closed` without Redis, as clients do: what is admitted in the end is then Redis's to say, however slow the machine is. */
  patient?: boolean;
}

/** Without an answer after so long, a request counts as one that hangs. */
const HANGS_MS = 45_000;

/** A busy machine is not to be kept busier. */
const AGAIN_MS = 50;

/** One chat completion that asks no cache. Never rejects. */
export async function send(cluster: TestCluster, sending: Sending): Promise<Sent> {
  for (;;) {
    const sent = await once(cluster, sending);
    if (sending.patient !== true || sent.status !== 503 || sent.error?.message.includes('cannot be checked') !== true) return sent;
    await delay(AGAIN_MS);
  }
}

async function once(cluster: TestCluster, { key, gateway = 0, model = 'gpt-4o-mini', content = 'Hello, limits.', more, headers, signal }: Sending): Promise<Sent> {
  const deadline = AbortSignal.timeout(HANGS_MS);
  try {
    const response = await fetch(`${cluster.urls[gateway]}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-cache-mode': 'off', ...headers },
      body: JSON.stringify({ model, messages: ask(content), ...more }),
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    });
    const text = await response.text();
    return { status: response.status, id: response.headers.get('x-request-id'), headers: response.headers, text, error: response.status < 400 ? null : errorIn(text) };
  } catch {
    return { status: 0, id: null, headers: new Headers(), text: '', error: null };
  }
}

function errorIn(text: string): Sent['error'] {
  try {
    return (JSON.parse(text) as { error: Sent['error'] }).error;
  } catch {
    return null;
  }
}

/** So many at once, over all gateways evenly. */
export function burst(cluster: TestCluster, count: number, sending: Sending | ((i: number) => Sending)): Promise<Sent[]> {
  const gateways = cluster.urls.length;
  return Promise.all(Array.from({ length: count }, (_, i) => send(cluster, { gateway: i % gateways, ...(typeof sending === 'function' ? sending(i) : sending) })));
}

/** The same request again and again, as long as it is refused and may come back. */
export async function insist(cluster: TestCluster, sending: Sending, waitMs = 20): Promise<Sent> {
  for (;;) {
    const sent = await send(cluster, sending);
    if (sent.status !== 429 || sent.headers.get('x-should-retry') === 'false') return sent;
    await delay(waitMs);
  }
}

/**
 * Does it again, from the start, until nothing was decided without Redis meanwhile. Where the machine is busy enough, Redis is slower than gateways wait
 * for it, and their degraded modes decide, as they should; what they do then is another test's.
 */
export async function undisturbed(cluster: TestCluster, work: () => Promise<void>): Promise<void> {
  const alone = (): Promise<number> => metric(cluster, 'gateway', 'deja_gateway_limits_decisions_total', { by: 'local_share' });
  for (let tries = 1; ; tries++) {
    const before = await alone();
    try {
      return await work();
    } catch (error) {
      if ((await alone()) === before || tries === 10) throw error;
    }
    await eventually('Redis to decide again', async () => (await metric(cluster, 'gateway', 'deja_gateway_limits_degraded')) === 0);
  }
}

export const statuses = (sent: readonly Sent[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const { status } of sent) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};
export const admitted = (sent: readonly Sent[]): Sent[] => sent.filter(({ status }) => status === 200);
export const refused = (sent: readonly Sent[]): Sent[] => sent.filter(({ status }) => status !== 200);

/** A header that is a number. */
export const numberIn = ({ headers }: Sent, name: string): number => Number(headers.get(name) ?? Number.NaN);

/** Holds back whoever waits, until it is opened. */
export class Gate {
  #opened = Promise.withResolvers<void>();
  #isOpen = false;

  /** @returns when the gate is open */
  pass(): Promise<void> {
    return this.#isOpen ? Promise.resolve() : this.#opened.promise;
  }
  open(): void {
    this.#isOpen = true;
    this.#opened.resolve();
  }
  close(): void {
    if (this.#isOpen) this.#opened = Promise.withResolvers<void>();
    this.#isOpen = false;
  }
}

/** The sum of a metric's series over the replicas of an app, those with all of these labels; 0 where there is none. */
export async function metric(cluster: TestCluster, app: 'gateway' | 'usage-worker', name: string, labels: Record<string, string> = {}): Promise<number> {
  const replicas = cluster.apps.filter((state) => state.app === app);
  const texts = await Promise.all(replicas.map(async ({ n }) => (await fetch(`${cluster.opsUrl(app, n)}/metrics`)).text()));
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && wanted.every((pair) => line.includes(pair)));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
