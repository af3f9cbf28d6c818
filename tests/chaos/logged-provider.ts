import { createHash } from 'node:crypto';
import { chunks, fakeProvider, status, TcpPath, toolCalls, type FakeProvider, type ProviderRequest, type Step } from '@deja/testing';
import type { ProviderCall } from './agreement.ts';
import { endOf, questionIn, TOOL, userIn } from './questions.ts';

/** How a provider behaves at the moment. */
export type Mood = 'well' | 'failing' | 'limited';
const IN_A_MOOD = 0.5;
const PIECES = 8;
/** Between pieces. Who asks for patience gets an answer that takes its time. */
const PACE_MS = { usual: 10, patient: 150 };

/** What a question's answer costs: of the question alone, so that both sides can know. That of a poor client is no more than it announces. */
export function tokensOf(question: string): { promptTokens: number; cachedTokens: number; completionTokens: number } {
  const hash = createHash('sha256').update(question).digest();
  const ofVectors = question.startsWith('v');
  if (question.startsWith('p')) return { promptTokens: 12, cachedTokens: 0, completionTokens: 5 + (hash.readUInt16BE(3) % 300) };
  return { promptTokens: 20 + (hash.readUInt16BE(0) % 2000), cachedTokens: ofVectors ? 0 : hash.readUInt8(2) % 20, completionTokens: ofVectors ? 0 : 5 + (hash.readUInt16BE(3) % 400) };
}

/** A provider behind a way that can break, which keeps a log of its own, also over its deaths. */
export class LoggedProvider {
  readonly name: string;
  readonly credentials: Record<'one' | 'two', string>;
  mood: Mood = 'well';
  /** Requests that were to be refused before they came here. */
  bad = 0;
  private readonly random: () => number;
  private readonly log: { call: Omit<ProviderCall, 'finished' | 'startMs' | 'endMs'>; request: ProviderRequest }[] = [];
  private port = 0;
  private provider: FakeProvider | null = null;
  private way: TcpPath | null = null;

  constructor(name: string, random: () => number) {
    this.name = name;
    this.random = random;
    const secret = (): string => Array.from({ length: 32 }, () => Math.floor(random() * 36).toString(36)).join('');
    this.credentials = { one: `sk-chaos-${secret()}`, two: `sk-chaos-${secret()}` };
  }

  /** Starts it, or starts it again where it was. */
  async start(): Promise<void> {
    this.provider = await fakeProvider({ port: this.port, otherwise: (request) => this.answer(request) });
    this.port = Number(new URL(this.provider.url).port);
    this.way ??= await TcpPath.to(this.provider.url);
  }

  async kill(): Promise<void> {
    await this.provider?.close();
    this.provider = null;
  }

  /** As clients reach it. */
  get url(): string {
    return `${this.path.url.replace(/\/$/, '')}`;
  }

  get path(): TcpPath {
    if (this.way === null) throw new Error(`provider ${this.name} was never started`);
    return this.way;
  }

  get calls(): ProviderCall[] {
    return this.log.map(({ call, request }) => ({ ...call, startMs: request.receivedAtMs, endMs: request.finishedAtMs ?? request.abortedAtMs, finished: request.finishedAtMs !== null && request.abortedAtMs === null }));
  }

  async close(): Promise<void> {
    await this.way?.close();
    await this.kill();
  }

  private answer(request: ProviderRequest): Step {
    const question = questionIn(request.body);
    if (question === null) {
      this.bad += 1;
      return status(400);
    }
    const chance = this.random();
    const code = this.mood !== 'well' && chance < IN_A_MOOD ? { failing: 500, limited: 429 }[this.mood] : 200;
    const tokens = tokensOf(question);
    this.log.push({ call: { question, provider: this.name, status: code, ...tokens }, request });
    if (code !== 200) return status(code, code === 429 ? { 'retry-after-ms': '50' } : {});
    const user = userIn(request.body);
    const manner = { usage: tokens, beforeFirstByteMs: 20 + Math.floor(chance * 40), chunkDelayMs: question.startsWith('n') ? PACE_MS.patient : PACE_MS.usual };
    if (question.startsWith('t')) return toolCalls([{ name: TOOL, arguments: JSON.stringify({ said: endOf(question, user) }) }], manner);
    return chunks([...Array.from({ length: PIECES - 1 }, (_, i) => `Part ${i} of the answer. `), endOf(question, user)], manner);
  }
}
