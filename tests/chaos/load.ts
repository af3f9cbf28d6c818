import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';
import type { Balancer } from './balancer.ts';
import type { Asker, Try } from './evidence.ts';
import { fresh, known, respelt, TOOL, type Question } from './questions.ts';
import { pick } from './random.ts';

export const MODEL = 'chaos';
export const VECTORS = 'chaos-vectors';
const TOOLS: OpenAI.Chat.ChatCompletionTool[] = [{ type: 'function', function: { name: TOOL, parameters: { type: 'object', properties: { said: { type: 'string' } }, required: ['said'] } } }];
/** Longer than any fault: who waits for a process that stands still is served when it goes on. */
const PATIENCE_MS = 90_000;
const POOR_TOKENS = 320;
/** A client that leaves does so somewhere in the answer. */
const LEAVES_MS = { least: 20, more: 120 };
const HALF = 0.5;

/** Of a hundred requests. */
const SHARES: Record<Asker, number> = { whole: 18, streamed: 18, repeated: 24, respelt: 8, vectors: 7, tools: 5, leaving: 7, limited: 5, narrow: 5, poor: 3 };
const DEALT: Asker[] = Object.entries(SHARES).flatMap(([asker, share]) => Array.from({ length: share }, () => asker as Asker));
const LETTERS: Record<Asker, string> = { whole: 'w', streamed: 's', repeated: 'k', respelt: 'k', vectors: 'v', tools: 't', leaving: 'l', limited: 'r', narrow: 'n', poor: 'p' };

/** Client keys: of tenants that ask the same questions, and of tenants that are held to something. */
export interface Keys {
  /** By tenant. */
  free: Record<string, string>;
  limited: { tenant: string; key: string };
  narrow: { tenant: string; key: string };
  poor: { tenant: string; key: string };
}

/** The share of requests that are held to a limit of requests; for whoever sets the limit. */
export const LIMITED_SHARE = SHARES.limited / 100;

/** Steady mixed load through the official SDK. */
export class Load {
  private readonly balancer: Balancer;
  private readonly keys: Keys;
  private readonly random: () => number;
  private asked = 0;

  constructor(balancer: Balancer, keys: Keys, random: () => number) {
    this.balancer = balancer;
    this.keys = keys;
    this.random = random;
  }

  /** So many requests a second, however long answers take, until `until` says so; resolves when the last one is answered. */
  async run(perSecond: number, until: () => boolean): Promise<void> {
    const sent = new Set<Promise<void>>();
    const fromMs = performance.now();
    for (let n = 0; !until(); await delay(5)) {
      for (; n < ((performance.now() - fromMs) / 1000) * perSecond && !until(); n++) {
        const one = this.ask(pick(this.random, DEALT)).finally(() => sent.delete(one));
        sent.add(one);
      }
    }
    await Promise.all(sent);
  }

  /** Has every gateway know every key: one that is unknown cannot be asked about while a gateway is cut off. */
  static async knownTo(urls: readonly string[], { free, limited, narrow, poor }: Keys): Promise<void> {
    const keys = [...Object.values(free), limited.key, narrow.key, poor.key];
    await Promise.all(urls.flatMap((url) => keys.map((key) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key }).models.list())));
  }

  /** One call, until it is answered, fails or is given up. Never rejects: what came of it is with the balancer. */
  private async ask(asker: Asker): Promise<void> {
    const n = this.asked++;
    const question = this.questionOf(asker, n);
    const stream = { streamed: true, leaving: true, vectors: false, whole: false }[asker as string] ?? this.random() < HALF;
    const { tenant, key } = this.clientOf(asker);
    const asked = { mark: `m${n}`, asker, tenant, question: question.id, stream };
    // Who is told to wait for a minute is not waited for.
    const mayRetry = !['limited', 'narrow', 'poor'].includes(asker);
    const sdk = new OpenAI({ baseURL: 'http://gateways/v1', apiKey: key, timeout: PATIENCE_MS, fetch: this.balancer.fetchFor(asked), ...(!mayRetry && { maxRetries: 0 }) });
    const leaving = new AbortController();
    const leaves = asker === 'leaving' ? setTimeout(() => leaving.abort(), LEAVES_MS.least + this.random() * LEAVES_MS.more) : null;
    try {
      const text = await answerTo(sdk, { asker, question, tenant, stream, signal: leaving.signal });
      this.lastOf(asked.mark).text = text;
    } catch {
      // The balancer has it.
    } finally {
      if (leaves !== null) clearTimeout(leaves);
    }
  }

  private lastOf(mark: string): Pick<Try, 'text'> {
    return this.balancer.tries.findLast((one) => one.mark === mark) ?? { text: null };
  }

  private questionOf(asker: Asker, n: number): Question {
    if (asker === 'repeated') return known(this.random);
    if (asker === 'respelt') return respelt(known(this.random));
    return fresh(LETTERS[asker], n);
  }

  private clientOf(asker: Asker): { tenant: string; key: string } {
    if (asker === 'limited' || asker === 'narrow' || asker === 'poor') return this.keys[asker];
    const [tenant, key] = pick(this.random, Object.entries(this.keys.free));
    return { tenant, key };
  }
}

interface Asking {
  asker: Asker;
  question: Question;
  tenant: string;
  stream: boolean;
  signal: AbortSignal;
}

/** All of its text, or the arguments of its tool call, or the length of its vector. Throws where it is not whole. */
async function answerTo(sdk: OpenAI, { asker, question, tenant, stream, signal }: Asking): Promise<string> {
  if (asker === 'vectors') {
    const { data } = await sdk.embeddings.create({ model: VECTORS, input: question.text, user: tenant }, { signal });
    return `A vector of ${data[0]?.embedding.length ?? 0} numbers. ${question.id}`;
  }
  const body = {
    model: MODEL, user: tenant, messages: [{ role: 'user' as const, content: question.text }],
    ...(asker === 'tools' && { tools: TOOLS, tool_choice: 'required' as const }), ...(asker === 'poor' && { max_completion_tokens: POOR_TOKENS }),
  };
  if (!stream) {
    const { choices: [choice] } = await sdk.chat.completions.create(body, { signal });
    return textOf(choice?.message);
  }
  let text = '';
  for await (const { choices: [choice] } of await sdk.chat.completions.create({ ...body, stream: true }, { signal })) text += textOf(choice?.delta);
  return text;
}

interface Said {
  content?: string | null;
  tool_calls?: { function?: { arguments?: string }; type?: string }[];
}

const textOf = (said: Said | undefined): string => `${said?.content ?? ''}${(said?.tool_calls ?? []).map((call) => call.function?.arguments ?? '').join('')}`;
