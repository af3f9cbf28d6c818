import { trace } from '@opentelemetry/api';
import type { AttemptOutcome, Candidate, CredentialRef, Deployment, Plan, Settings } from '@deja/contracts';
import type { FakeProvider } from '@deja/testing';
import { Attempts, type Question } from '../src/attempt/attempts.ts';
import type { CallWatchers } from '../src/attempt/call.ts';
import type { CallAdmission } from '../src/attempt/call-admission.ts';
import type { CallResult } from '../src/attempt/call-result.ts';
import { CredentialLeases, type FetchLeases } from '../src/attempt/credential-leases.ts';
import { CHANCES, type Chances } from '../src/attempt/next-call.ts';
import { OutcomeReporter } from '../src/attempt/outcome-reporter.ts';
import { Upstream } from '../src/attempt/upstream.ts';
import { CHAT } from '../src/chat/chat.endpoint.ts';
import type { AnswerRules } from '../src/guard/answer-rules.ts';
import { Operation } from '../src/operation/operation.ts';
import { RawCalls } from '../src/passthrough/raw-call.ts';
import { OwnView } from '../src/plan/own-view.ts';
import type { ApiRequest, Endpoint } from '../src/pipeline/endpoint.ts';
import { parseJsonBody } from '../src/validate/json-body.ts';
import { sealing } from './sealed-leases.ts';

const DEADLINES: Settings['timeouts'] = { connect_ms: 10_000, first_byte_ms: 20_000, idle_ms: 20_000, total_ms: 60_000, unary_ms: 20_000 };

export const settingsWith = (more: { timeouts?: Partial<Settings['timeouts']>; retries?: Partial<Settings['retries']> } = {}): Settings =>
  ({
    timeouts: { ...DEADLINES, ...more.timeouts },
    retries: { max_attempts: 4, backoff_ms: [1, 1], budget: 0.2, ...more.retries },
    prices: {},
    outbound: { allow: [] },
  }) as unknown as Settings;

export const credential = (id: string, more: Partial<CredentialRef> = {}): CredentialRef => ({ id, version: '1', weight: 1, limits: {}, unavailableUntilMs: 0, ...more });

/** `p/a` is the credential a of a deployment `p/<name>`; its value is `sk-a`. */
export function candidate(provider: FakeProvider, name: string, own: CredentialRef | null = null, more: Partial<Deployment> = {}): Candidate {
  const credentials = own === null ? [] : [own];
  const deployment: Deployment = { id: `p/${name}`, provider: 'p', kind: 'openai', baseUrl: provider.url, apiVersion: null, upstreamModel: name, credentials, unavailableUntilMs: 0, ...more };
  return { model: 'm', deployment, credential: own, upstreamModel: name };
}

export const planOf = (candidates: Candidate[], more: Partial<Plan> = {}): Plan =>
  ({ snapshotVersion: 1, candidates, instead: { contextWindow: [], contentPolicy: [] }, shadow: null, hedge: null, ...more });

const ASKED: Record<string, object> = { 'chat/completions': { messages: [{ role: 'user', content: 'Hello?' }] }, responses: { input: 'Hello?' }, completions: { prompt: 'Hello?' } };

/** What a client asks. */
export const chatQuestion = (stream: boolean): Question => questionOf(CHAT, stream);

export function questionOf<R extends ApiRequest>(endpoint: Endpoint<R>, stream: boolean, rules: AnswerRules | null = null): Question {
  const request = endpoint.parse(parseJsonBody(Buffer.from(JSON.stringify({ model: 'm', stream, ...ASKED[endpoint.path] }))));
  const context = { maxOutputTokens: null, createdS: 0, operationId: 'op', promptTokens: 7, watched: false, rules };
  return { genAiOperation: 'chat', stream, promptTokens: 7, exchange: (chosen) => endpoint.exchange(request, { ...context, candidate: chosen }) };
}

export const operationOf = (): Operation => new Operation('chat/completions', {}, trace.getTracer('test').startSpan('request'));

/** Quotas that refuse what the test says, and remember what they were told. */
export class ScriptedAdmission implements CallAdmission {
  readonly asked: string[] = [];
  readonly told: (CallResult & { model: string })[] = [];
  refused = new Set<string>();
  waits: number | null = null;

  admitted({ upstreamModel }: Candidate): boolean {
    this.asked.push(upstreamModel);
    return !this.refused.has(upstreamModel);
  }

  ended({ upstreamModel }: Candidate, _operation: Operation, result: CallResult): void {
    this.told.push({ model: upstreamModel, ...result });
  }

  waitMs(): number | null {
    return this.waits;
  }
}

/** The gateway's part that makes calls, with everything it tells others. */
export class AttemptWorld {
  readonly upstream = new Upstream();
  readonly view = new OwnView();
  readonly admission = new ScriptedAdmission();
  readonly outcomes: AttemptOutcome[] = [];
  readonly attempts: Attempts;
  readonly raw: RawCalls;
  private readonly reporter = new OutcomeReporter(async (outcomes) => void this.outcomes.push(...outcomes));

  constructor(o: { chances?: Partial<Chances>; fetchLeases?: FetchLeases } = {}) {
    const watchers: CallWatchers = { reporter: this.reporter, tracer: trace.getTracer('test'), view: this.view, admission: this.admission };
    const leases = new CredentialLeases(o.fetchLeases ?? sealing({ 'p/a@1': 'sk-a', 'p/b@1': 'sk-b', 'p/a@2': 'sk-a2' }), { warn: () => undefined });
    this.attempts = new Attempts(this.upstream, leases, watchers, { ...CHANCES, random: () => 0, ...o.chances });
    this.raw = new RawCalls(this.upstream, leases, watchers);
  }

  /** What the router is told. */
  async reported(): Promise<{ deployment: string; failure: string | null }[]> {
    await this.reporter.flush();
    return this.outcomes.map(({ deployment, failure }) => ({ deployment, failure }));
  }

  close(): Promise<void> {
    return this.upstream.close();
  }
}
