import type { ClientRequest } from './agreement.ts';

export interface Traffic {
  urls: () => string[];
  key: string;
  random: () => number;
}

/** Of the questions that come again. */
const KNOWN = 400;
const REPEATED_SHARE = 0.4;
const STREAMED_SHARE = 0.4;
const ABORTED_SHARE = 0.1;

/** Clients of several kinds: some ask what was asked before, some want streams, some leave in the middle. */
export class Clients {
  readonly requests: ClientRequest[] = [];
  readonly statuses = new Map<string, number>();
  private asked = 0;
  private readonly traffic: Traffic;

  constructor(traffic: Traffic) {
    this.traffic = traffic;
  }

  /** One request, until it is answered, fails or is given up. Never rejects. */
  async ask(): Promise<void> {
    const { random, urls, key } = this.traffic;
    const mark = `m${this.asked++}`;
    const repeated = random() < REPEATED_SHARE;
    const question = repeated ? `k${Math.floor(KNOWN * random() ** 2)}` : `q${this.asked}`;
    const stream = random() < STREAMED_SHARE;
    const leavesAfterMs = random() < ABORTED_SHARE ? Math.round(30 + random() * 80) : 60_000;
    const request: ClientRequest = { mark, question, requestId: null, status: null };
    this.requests.push(request);
    const all = urls();
    try {
      const response = await fetch(`${all[Math.floor(random() * all.length)]}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-deja-tags': `m=${mark},q=${question}`, 'x-deja-user': `user-${Math.floor(random() * 50)}` },
        body: JSON.stringify({ model: 'soak', stream, messages: [{ role: 'user', content: `[${question}] Say something about this.` }] }),
        signal: AbortSignal.timeout(leavesAfterMs),
      });
      request.status = response.status;
      const text = await response.text();
      // Who asked could not be told by then: nobody's bill, and no row.
      if (response.status !== 503 || !text.includes('"overloaded"')) request.requestId = response.headers.get('x-request-id');
      this.count(response.status === 200 ? `200 ${response.headers.get('x-cache') ?? ''}${stream && !text.trimEnd().endsWith('[DONE]') ? ' cut' : ''}` : String(response.status));
    } catch (error) {
      this.count((error as Error).name === 'TimeoutError' ? 'left' : request.status === null ? 'no answer' : 'cut');
    }
  }

  private count(what: string): void {
    this.statuses.set(what, (this.statuses.get(what) ?? 0) + 1);
  }
}
