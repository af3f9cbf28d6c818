import { nanoUsd, usdText } from '@deja/contracts';
import { answer, hang, status, type FakeProvider, type ProviderRequest, type Step, type TestCluster } from '@deja/testing';
import { ask, eventually, operationRow, post, type Raw } from './client.ts';
import type { Figures } from './ledger-views.ts';

/** USD for a million tokens, as deja.yaml has it. Odd, so that what is rounded in the wrong place, or not at all, shows. */
export interface TokenPrice {
  input_usd_per_million: number;
  cached_input_usd_per_million: number;
  output_usd_per_million: number;
}

interface Used {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
}

/** What the answer to a question uses, by the question's number. */
const usedBy = (n: number): Used => ({ promptTokens: 101 + 7 * n, cachedTokens: n % 3 === 0 ? 50 : 0, completionTokens: 11 + 3 * n });

/** What that costs: integer nano-USD, rounded half up. */
export function costOf(n: number, price: TokenPrice): bigint {
  const { promptTokens, cachedTokens, completionTokens } = usedBy(n);
  const rate = (usdPerMillion: number): bigint => nanoUsd(usdPerMillion.toFixed(9));
  const total = BigInt(promptTokens - cachedTokens) * rate(price.input_usd_per_million) + BigInt(cachedTokens) * rate(price.cached_input_usd_per_million) + BigInt(completionTokens) * rate(price.output_usd_per_million);
  return (total + 500_000n) / 1_000_000n;
}

/** A provider's answer to question n, or what the question asks for instead. */
export function billedAnswer(provider: FakeProvider): (request: ProviderRequest) => Step {
  return (request) => {
    const text = request.rawBody.toString();
    if (text.includes('Refuse')) return status(400);
    if (text.includes('Stumble') && provider.requests.filter(({ rawBody }) => rawBody.equals(request.rawBody)).length === 1) return status(500);
    const step = answer('All of this was counted by the provider.', { usage: usedBy(Number(/question (\d+)/.exec(text)?.[1])) });
    return text.includes('Hang') ? hang(3, step) : step;
  };
}

interface Asking {
  model?: string;
  key?: string;
  stream?: boolean;
  user?: string;
  tag?: string;
  /** Instead of "Answer". */
  verb?: 'Refuse' | 'Stumble' | 'Hang';
}

/** Asks as one tenant, and knows what that comes to. */
export class BilledTraffic {
  readonly bill: Figures = { requests: 0, cost: 0n, saved: 0n, unpriced: 0, promptTokens: 0, completionTokens: 0 };
  /** Of all requests so far. */
  readonly ids: string[] = [];
  /** Of the questions that were bought. */
  private readonly boughtQuestions: number[] = [];
  private readonly cluster: TestCluster;
  private readonly keys: readonly string[];
  private static questions = 0;

  /** @param keys of the tenant, used in turn */
  constructor(cluster: TestCluster, keys: readonly string[]) {
    this.cluster = cluster;
    this.keys = keys;
  }

  /** A question that nobody has asked: its number, and the reply. Its cost goes on the bill; null: nobody knows the price. */
  async miss(price: TokenPrice | null, asking: Asking = {}): Promise<{ n: number; reply: Raw }> {
    const n = BilledTraffic.questions++;
    const reply = await this.send(n, asking);
    expectOutcome(reply, 200, 'MISS');
    this.bought(n, price);
    if (asking.stream !== true) expectSame(reply.headers.get('x-deja-cost-usd'), price === null ? null : usdText(costOf(n, price)));
    return { n, reply };
  }

  /** The same again, which the cache answers. */
  async hit(n: number, price: TokenPrice | null, asking: Asking = {}): Promise<void> {
    expectOutcome(await this.send(n, asking), 200, 'HIT-EXACT');
    if (price !== null) this.bill.saved += costOf(n, price);
  }

  /** The provider fails once, and another try goes well. */
  async stumble(price: TokenPrice): Promise<void> {
    const n = BilledTraffic.questions++;
    expectOutcome(await this.send(n, { verb: 'Stumble' }), 200, 'MISS');
    this.bought(n, price);
  }

  /** The provider refuses it, and it is not a request in the first place. */
  async errors(): Promise<void> {
    expectOutcome(await this.send(BilledTraffic.questions++, { verb: 'Refuse' }), 400, 'MISS');
    const reply = await post(this.as(0), { model: 'priced', messages: 'none' });
    expectSame(reply.status, 400);
    this.counted(reply.headers);
  }

  /** A stream that its client leaves in the middle: what it came to only the ledger knows. */
  async abort(): Promise<void> {
    const leaving = new AbortController();
    const response = await fetch(`${this.cluster.url}/v1/chat/completions`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${this.keys[0]}` }, body: JSON.stringify(bodyOf(BilledTraffic.questions++, { verb: 'Hang', stream: true })), signal: leaving.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    leaving.abort();
    const row = await operationRow(this.cluster, this.counted(response.headers), 40_000);
    expectSame([row.outcome, row.usage_source, Number(row.cost_nano_usd) > 0], ['cancelled', 'estimated', true]);
    this.bill.cost += BigInt(row.cost_nano_usd!);
    this.bill.promptTokens += row.prompt_tokens!;
    this.bill.completionTokens += row.completion_tokens!;
  }

  /** What all that was bought so far would cost at this price, nano-USD. */
  cost(price: TokenPrice): bigint {
    return this.boughtQuestions.reduce((total, n) => total + costOf(n, price), 0n);
  }

  /** Everything that can happen to a request, at this price. */
  async everyKind(price: TokenPrice): Promise<void> {
    const users = ['Ann, "the first"', 'bob', undefined];
    for (let i = 0; i < 6; i++) {
      const asking: Asking = { key: this.keys[i % 2]!, stream: i % 3 === 1, ...(users[i % 3] !== undefined && { user: users[i % 3]! }), ...(i > 1 && { tag: `team=${i % 2 === 0 ? 'blue' : 'red'}` }) };
      const { n } = await this.miss(price, asking);
      await this.hit(n, price, asking);
      if (i === 3) await this.hit(n, price, { ...asking, stream: true, key: this.keys[0]! });
    }
    await this.stumble(price);
    await this.errors();
    await this.miss(null, { model: 'never-priced' });
    await this.abort();
  }

  /** Resolves when the ledger has all of it. */
  async recorded(deadlineMs = 15_000): Promise<void> {
    await eventually('all requests in the ledger', async () => {
      const rows = await this.cluster.sql('select 1 from usage.operations where id = any($1)', [this.ids]);
      return rows.length === this.ids.length;
    }, deadlineMs);
  }

  private async send(n: number, asking: Asking): Promise<Raw> {
    const tags: Record<string, string> = asking.tag === undefined ? {} : { 'x-deja-tags': asking.tag };
    const reply = await post({ url: this.cluster.url, key: asking.key ?? this.keys[0]! }, bodyOf(n, asking), tags);
    this.counted(reply.headers);
    return reply;
  }

  private bought(n: number, price: TokenPrice | null): void {
    const { promptTokens, completionTokens } = usedBy(n);
    this.boughtQuestions.push(n);
    this.bill.promptTokens += promptTokens;
    this.bill.completionTokens += completionTokens;
    if (price === null) this.bill.unpriced += 1;
    else this.bill.cost += costOf(n, price);
  }

  private counted(headers: Headers): string {
    const id = headers.get('x-request-id') ?? '';
    this.bill.requests += 1;
    this.ids.push(id);
    return id;
  }

  private as(key: number): { url: string; key: string } {
    return { url: this.cluster.url, key: this.keys[key]! };
  }
}

const bodyOf = (n: number, { model = 'priced', stream = false, user, verb }: Asking): object => ({ model, stream, messages: ask(`${verb ?? 'Answer'} question ${n}, please.`), ...(user !== undefined && { user }) });

function expectOutcome(reply: Raw, status: number, cache: string): void {
  expectSame([reply.status, reply.headers.get('x-cache')], [status, cache]);
}

function expectSame(found: unknown, wanted: unknown): void {
  const [was, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (was !== should) throw new Error(`${was} in place of ${should}`);
}
