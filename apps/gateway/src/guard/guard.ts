import { Inspector, rulesDigest, type Work } from '@deja/content-safety';
import { DejaError, type RoutingSnapshot, type Settings } from '@deja/contracts';
import type { Attempts, Question } from '../attempt/attempts.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import { MODERATIONS, moderationCall } from '../moderations/moderations.endpoint.ts';
import { asVerdicts, verdictOf } from '../moderations/verdict.ts';
import type { Operation } from '../operation/operation.ts';
import type { ApiRequest, Endpoint } from '../pipeline/endpoint.ts';
import { AnswerRules } from './answer-rules.ts';
import type { Planner, Wanted } from '../plan/planner.ts';
import { BlockedByRule } from './blocked-by-rule.ts';
import { parseJsonBody, type JsonBody } from '../validate/json-body.ts';
import { promptTexts, textsToTreat, treatedBody } from './prompt-texts.ts';
import { decodingToo } from './texts.ts';
import { Turns } from './turns.ts';

type Snapshot = Pick<RoutingSnapshot, 'version' | 'settings'>;

/** A moderation model reads at least so much of a streamed answer at once, and more where its sentences are longer. */
const MODERATED_CHARS = 200;
const SENTENCE_END = /[.!?。！？\n]["')\]]?\s*$/;

/** Step 4: content safety, by rules of our own and by a moderation model, over prompts and answers. */
export class Guard {
  private compiled: { version: number; source: string; inspector: Inspector; digest: string } | null = null;

  private readonly turns = new Turns();

  constructor(
    private readonly attempts: Attempts,
    private readonly planner: Planner,
  ) {}

  /** The request with what must not leave the house taken out of it, at once or, where there is much to read, in turns; throws a BlockedByRule. */
  prompt<R extends ApiRequest>(endpoint: Endpoint<R>, operation: Operation, request: R, snapshot: Snapshot): R | Promise<R> {
    const treated = this.treated(operation, request.body, endpoint.textMembers, snapshot);
    const asked = (body: JsonBody): R => (body === request.body ? request : endpoint.parse(body));
    return treated instanceof Promise ? treated.then(asked) : asked(treated);
  }

  /** The same for a body that is passed on, with what people wrote into these members of it; the very same body where nothing had to be taken out. */
  async passing(operation: Operation, body: JsonBody, members: readonly string[], snapshot: Snapshot): Promise<{ body: JsonBody; texts: string[] }> {
    const treated = await this.treated(operation, body, members, snapshot);
    return { body: treated, texts: promptTexts(treated, members) };
  }

  private treated(operation: Operation, body: JsonBody, members: readonly string[], snapshot: Snapshot): JsonBody | Promise<JsonBody> {
    const { inspector } = this.rules(snapshot);
    if (members.length === 0 || !inspector.active('prompts')) return body;
    return this.turns.run(this.treating(operation, body, inspector), operation);
  }

  private *treating(operation: Operation, body: JsonBody, inspector: Inspector): Work<JsonBody> {
    const known = new Map<string, string>();
    let isChanged = false;
    for (const [text, member] of textsToTreat(body)) {
      if (known.has(text)) continue;
      const treated = yield* this.treatingText(operation, text, member, inspector);
      known.set(text, treated);
      isChanged ||= treated !== text;
      yield;
    }
    return isChanged ? treatedBody(body, (text) => known.get(text) ?? text) : body;
  }

  /** The same for one text. `param` is where it stands. */
  passingText(operation: Operation, text: string, param: string, snapshot: Snapshot): string | Promise<string> {
    return this.turns.run(this.treatingText(operation, text, param, this.rules(snapshot).inspector), operation);
  }

  private treatingText(operation: Operation, text: string, param: string, inspector: Inspector): Work<string> {
    return decodingToo(text, function* treat(piece) {
      const { text: treated, findings, blocked } = yield* inspector.inspecting(piece, 'prompts');
      for (const { rule } of findings) operation.flags.add(rule);
      if (blocked !== null) throw new BlockedByRule('request', blocked, param);
      return treated;
    });
  }

  /** Rules for this operation's answer; null when no rule looks at answers. */
  answers(operation: Operation, snapshot: Snapshot): AnswerRules | null {
    const { inspector } = this.rules(snapshot);
    return inspector.active('answers') ? new AnswerRules(inspector, (rule) => operation.flags.add(rule), changesAnswers(snapshot.settings)) : null;
  }

  /** Names what answers are held to: an answer kept under other rules is not served. Empty where there are none. */
  rulesName(snapshot: Snapshot): string {
    const { inspector, digest } = this.rules(snapshot);
    const { moderation } = snapshot.settings.content_safety;
    if (moderation === null) return inspector.active('answers') ? digest : '';
    // An exact hit is not moderated again, so it counts which model judged its prompt, and how strictly.
    return `${digest} ${moderation.model} ${JSON.stringify(moderation.thresholds)}`;
  }

  /** Asks the moderation model about the prompt; null where there is none to be asked. Rejects with a BlockedByRule, or `overloaded` when nobody can tell and that is not good enough. */
  moderate(endpoint: Endpoint, operation: Operation, request: ApiRequest, snapshot: RoutingSnapshot): Promise<void> | null {
    if (snapshot.settings.content_safety.moderation === null || endpoint.textMembers.length === 0) return null;
    return this.moderateTexts(operation, promptTexts(request.body, endpoint.textMembers), snapshot);
  }

  moderateTexts(operation: Operation, texts: string[], snapshot: RoutingSnapshot): Promise<void> {
    const judged = this.judge(operation, texts, 'request', snapshot);
    judged.catch(() => undefined); // whoever waits for it is told; an answer that needs no verdict has nobody waiting
    return judged;
  }

  moderatesAnswers({ settings }: Snapshot): boolean {
    return settings.content_safety.moderation?.answers ?? false;
  }

  /** The same for a whole answer, where the moderation model watches over answers too. */
  async moderateAnswer(endpoint: Endpoint, operation: Operation, text: string, snapshot: RoutingSnapshot): Promise<void> {
    if (this.moderatesAnswers(snapshot) && endpoint.textMembers.length > 0) await this.judge(operation, [text], 'answer', snapshot);
  }

  /** A streamed answer, held back until the model has let its sentences pass. `takeText` gives what the pieces so far say. */
  async *moderateStream(endpoint: Endpoint, operation: Operation, pieces: AsyncIterable<string>, takeText: () => string, snapshot: RoutingSnapshot): AsyncGenerator<string> {
    let held = '';
    let said = '';
    for await (const piece of pieces) {
      held += piece;
      said += takeText();
      if (said.length < MODERATED_CHARS || !SENTENCE_END.test(said)) continue;
      await this.moderateAnswer(endpoint, operation, said, snapshot);
      yield held;
      held = '';
      said = '';
    }
    if (said !== '') await this.moderateAnswer(endpoint, operation, said, snapshot);
    yield held;
  }

  private async judge(operation: Operation, texts: string[], what: 'request' | 'answer', snapshot: RoutingSnapshot): Promise<void> {
    const policy = snapshot.settings.content_safety.moderation;
    const asked = texts.filter((text) => text.trim() !== '');
    if (policy === null || asked.length === 0) return;
    let verdict: { flagged: string[]; blocked: string | null };
    try {
      verdict = verdictOf(await this.ask(operation, policy, asked, snapshot), policy.thresholds);
    } catch (error) {
      if (operation.signal.aborted) return; // nobody waits for it any more
      operation.flags.add('moderation:unavailable');
      if (policy.on_error === 'open') return;
      throw new DejaError('overloaded', 'The content of this request cannot be checked at the moment. Try again shortly.', { retryAfterMs: 1000, cause: error });
    }
    for (const category of verdict.flagged) operation.flags.add(`moderation:${category}`);
    if (verdict.blocked !== null) throw new BlockedByRule(what, `moderation:${verdict.blocked}`);
  }

  private async ask(operation: Operation, policy: NonNullable<Settings['content_safety']['moderation']>, texts: string[], snapshot: RoutingSnapshot): Promise<ReturnType<typeof asVerdicts>> {
    const unsuited: Wanted['unsuited'] = (deployment) => (MODERATIONS.offeredBy(deployment) ? null : { param: null, message: 'it has no moderations' });
    const [candidate] = this.planner.plan(snapshot, { model: policy.model, tenant: operation.principal?.tenant ?? null, promptTokens: 0, unsuited, maxAttempts: 1 }).candidates;
    if (candidate === undefined) throw new AttemptFailure('model');
    const ms = policy.timeout_ms;
    const settings = { ...snapshot.settings, timeouts: { ...snapshot.settings.timeouts, unary_ms: ms, idle_ms: ms } };
    const body = parseJsonBody(Buffer.from(JSON.stringify({ model: candidate.upstreamModel, input: texts })));
    const exchange: Question['exchange'] = (chosen) => moderationCall(chosen, body);
    const reply = await this.attempts.beside(operation, { genAiOperation: MODERATIONS.genAiOperation, stream: false, promptTokens: 0, exchange }, candidate, settings);
    return asVerdicts(reply.body, texts.length);
  }

  private rules({ version, settings }: Snapshot): { inspector: Inspector; digest: string } {
    const known = this.compiled;
    if (known?.version === version) return known;
    const rules = settings.content_safety;
    const digest = rulesDigest(rules);
    const source = JSON.stringify(rules);
    // Most new snapshots tell of health: the patterns are compiled again only when they changed.
    this.compiled = { version, digest, source, inspector: known?.source === source ? known.inspector : new Inspector(rules) };
    return this.compiled;
  }
}

/** Whether any rule for answers takes something out of them, or ends them: the others only watch. */
const changesAnswers = ({ content_safety: { answers, deny } }: Settings): boolean =>
  Object.values(answers).some((action) => action === 'redact' || action === 'block') || deny.some(({ action, on }) => action !== 'flag' && on.includes('answers'));
