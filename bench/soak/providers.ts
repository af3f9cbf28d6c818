import { createHash } from 'node:crypto';
import { chunks, fakeProvider, status, type FakeProvider, type ProviderRequest, type Step } from '@deja/testing';
import type { ProviderCall } from './agreement.ts';

/** How a provider behaves at the moment. */
export type Mood = 'well' | 'failing' | 'limited';

/** What a question's answer costs: of the question alone, so that both sides can know. */
export function tokensOf(question: string): { promptTokens: number; cachedTokens: number; completionTokens: number } {
  const hash = createHash('sha256').update(question).digest();
  return { promptTokens: 20 + hash.readUInt16BE(0) % 2000, cachedTokens: hash.readUInt8(2) % 20, completionTokens: 5 + hash.readUInt16BE(3) % 400 };
}

/** A provider that keeps a log of its own. */
export class LoggedProvider {
  readonly name: string;
  mood: Mood = 'well';
  private readonly random: () => number;
  private readonly log: { call: Omit<ProviderCall, 'finished'>; request: ProviderRequest }[] = [];
  private provider: FakeProvider | null = null;

  constructor(name: string, random: () => number) {
    this.name = name;
    this.random = random;
  }

  async start(): Promise<void> {
    this.provider = await fakeProvider({ otherwise: (request) => this.answer(request) });
  }

  get url(): string {
    return this.provider?.url ?? '';
  }

  get calls(): ProviderCall[] {
    return this.log.map(({ call, request }) => ({ ...call, finished: request.finishedAtMs !== null && request.abortedAtMs === null }));
  }

  async close(): Promise<void> {
    await this.provider?.close();
  }

  private answer(request: ProviderRequest): Step {
    const question = questionIn(request.body);
    const chance = this.random();
    const code = this.mood === 'failing' && chance < 0.5 ? 500 : this.mood === 'limited' && chance < 0.5 ? 429 : 200;
    const tokens = tokensOf(question);
    this.log.push({ call: { question, provider: this.name, status: code, ...tokens }, request });
    if (code !== 200) return status(code, code === 429 ? { 'retry-after-ms': '50' } : {});
    return chunks(Array.from({ length: 8 }, (_, i) => `Part ${i} of the answer. `), { usage: tokens, beforeFirstByteMs: 20 + Math.floor(chance * 40), chunkDelayMs: 10 });
  }
}

/** `[q17] …`: the name of the question, in its text. */
function questionIn(body: unknown): string {
  const { messages } = body as { messages: { content: string }[] };
  return /^\[(\w+)\]/.exec(messages.at(-1)?.content ?? '')?.[1] ?? '';
}
