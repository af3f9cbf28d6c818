import type { Counter, Meter } from '@opentelemetry/api';
import type { RoutingSnapshot, SemanticSettings } from '@deja/contracts';
import { estimate } from '@deja/tokens';
import type { Question } from '../attempt/attempts.ts';
import type { Shadows } from '../attempt/shadow.ts';
import { CHAT } from '../chat/chat.endpoint.ts';
import type { Operation } from '../operation/operation.ts';
import type { Planner } from '../plan/planner.ts';
import { comparisonRequest, saysSame, VERDICT_TOKENS, type Compared } from './comparison.ts';

/** On whose behalf, and under which settings, a judge is asked. */
export interface Asking {
  operation: Operation;
  snapshot: RoutingSnapshot;
}

/**
 * A model that says whether two questions, or two answers, are the same (`cache.semantic.judge`). Each call is a shadow attempt of the
 * operation that gave rise to it, recorded by itself, and never on the path of a request.
 */
export class Judge {
  private readonly verdicts: Counter;

  constructor(
    private readonly planner: Pick<Planner, 'plan'>,
    private readonly calls: Pick<Shadows, 'ask'>,
    meter: Meter,
  ) {
    this.verdicts = meter.createCounter('deja.gateway.judge.verdicts', { description: 'What the judge of the semantic cache said, by what it compared: same, different, none (it was not asked, gave no answer in time, or none of the two words)' });
    for (const compared of ['questions', 'answers']) for (const verdict of ['same', 'different', 'none']) this.verdicts.add(0, { compared, verdict });
  }

  /** null where it gave no answer, or too many are asked already. Never rejects. */
  async same(what: Compared, texts: readonly [string, string], settings: NonNullable<SemanticSettings['judge']>, asking: Asking): Promise<boolean | null> {
    const same = await this.ask(what, texts, settings, asking).catch(() => null); // the attempt's record says why
    this.verdicts.add(1, { compared: what, verdict: same === null ? 'none' : same ? 'same' : 'different' });
    return same;
  }

  private async ask(what: Compared, texts: readonly [string, string], { model, timeout_ms: ms }: NonNullable<SemanticSettings['judge']>, { operation, snapshot }: Asking): Promise<boolean | null> {
    const request = CHAT.parse(comparisonRequest(model, what, texts));
    const promptTokens = estimate(request.parts);
    const unsuited: Parameters<Planner['plan']>[1]['unsuited'] = (deployment, upstreamModel) => CHAT.unsuited(request, { deployment, upstreamModel });
    const tenant = operation.principal?.tenant ?? null;
    const { candidates: [candidate] } = this.planner.plan(snapshot, { model, tenant, promptTokens, maxOutputTokens: VERDICT_TOKENS, unsuited, maxAttempts: 1 });
    if (candidate === undefined) throw new Error('a plan has no candidate');
    const exchange: Question['exchange'] = (chosen) =>
      CHAT.exchange(request, { candidate: chosen, maxOutputTokens: null, createdS: Math.floor(Date.now() / 1000), operationId: operation.id, promptTokens, watched: false, rules: null });
    const timeouts = { ...snapshot.settings.timeouts, unary_ms: ms, idle_ms: ms };
    const reply = await this.calls.ask(operation, { genAiOperation: CHAT.genAiOperation, stream: false, promptTokens, exchange }, candidate, { ...snapshot.settings, timeouts });
    return saysSame(reply.text);
  }
}
