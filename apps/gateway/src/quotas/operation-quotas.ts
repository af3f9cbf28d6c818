import type { Candidate } from '@deja/contracts';
import type { ScriptCall } from '@deja/redis';
import { credentialKey } from '@deja/routing';
import type { CallResult } from '../attempt/call-result.ts';
import type { CredentialQuotas, QuotaCharge, QuotaEnd, QuotaQuestion, QuotaVerdict } from './credential-quotas.ts';

const NEVER_SENT: QuotaEnd = { tokens: null, headers: null, failure: null, retryAfterMs: null, unsent: true };

/**
 * Quotas of the credentials that one operation uses: one of its candidates is charged within the reserve round trip, those that
 * are tried after it each by a call of its own. What was charged and never called, as where the cache had the answer, is given back.
 */
export class OperationQuotas {
  /** What the reserve round trip asks; null before it, and for an operation that reserves nothing. */
  private question: QuotaQuestion | null = null;
  private verdict: QuotaVerdict | null = null;
  /** Charged in the reserve round trip, and not called yet. */
  private held: { name: string; charge: QuotaCharge } | null = null;
  /** Of calls under way, by whom is called. */
  private readonly charges = new Map<string, QuotaCharge[]>();
  private readonly waitsMs: number[] = [];
  private readonly ends: ScriptCall[] = [];

  constructor(
    private readonly quotas: CredentialQuotas,
    private tokens: number,
  ) {}

  /** For the reserve round trip, before it; a settlement is to follow. Calls may run beside the answer already. */
  prepare(candidates: readonly Candidate[], tokens: number): this {
    this.tokens = tokens;
    this.question = this.quotas.ask(candidates, tokens);
    return this;
  }

  /** What is to be asked in the reserve round trip; null when nothing is. */
  get call(): ScriptCall | null {
    return this.question?.call ?? null;
  }

  /** The answer to `call`; undefined where there was none. Never rejects. */
  async decided(reply: [error: Error | null, value: unknown] | undefined): Promise<void> {
    const { question } = this;
    if (question === null) return;
    const verdict = await this.quotas.read(question, reply);
    this.verdict = verdict;
    if (verdict.kind === 'refused') {
      this.waitsMs.push(verdict.waitMs);
      return;
    }
    const candidate = question.candidates[verdict.index];
    if (candidate !== undefined) this.held = { name: nameOf(candidate), charge: verdict.charge };
  }

  /** Whether this candidate may be called; it is charged then. Never rejects. */
  async admitted(candidate: Candidate): Promise<boolean> {
    const name = nameOf(candidate);
    if (this.held?.name === name) {
      this.begun(name, this.held.charge);
      this.held = null;
      return true;
    }
    if (this.isRefused(name)) return false;
    const verdict = await this.quotas.take(candidate, this.tokens);
    if (verdict.kind === 'refused') {
      this.waitsMs.push(verdict.waitMs);
      return false;
    }
    this.begun(name, verdict.charge);
    return true;
  }

  /** A failure is told at once, because others are about to run into it; a success with the operation's settlement, where one follows. */
  ended(candidate: Candidate, { failure, headers, headersAtMs, retryAfterMs, usedTokens }: CallResult): void {
    const charge = this.charges.get(nameOf(candidate))?.pop();
    if (charge === undefined) return;
    const end: QuotaEnd = { tokens: usedTokens, headers, failure, retryAfterMs, ...(headersAtMs !== null && { headersAtMs }) };
    if (failure === null && this.question !== null) this.ends.push(...this.quotas.endCalls(charge, end));
    else void this.quotas.end(charge, end);
  }

  /** How soon any of those that were refused has room again, ms; -1: none of them ever takes such a request; null: none was refused. */
  get waitMs(): number | null {
    const possible = this.waitsMs.filter((ms) => ms >= 0);
    return this.waitsMs.length === 0 ? null : possible.length === 0 ? -1 : Math.min(...possible);
  }

  /** What is to be written at settlement. */
  settlement(): ScriptCall[] {
    const unused = this.held === null ? [] : this.quotas.endCalls(this.held.charge, NEVER_SENT);
    this.held = null;
    return [...this.ends.splice(0), ...unused];
  }

  private begun(name: string, charge: QuotaCharge): void {
    const running = this.charges.get(name);
    if (running === undefined) this.charges.set(name, [charge]);
    else running.push(charge);
  }

  /** Whoever stands before the one that was charged had no room a moment ago. */
  private isRefused(name: string): boolean {
    if (this.verdict === null || this.question === null) return false;
    const { candidates } = this.question;
    const refused = this.verdict.kind === 'refused' ? candidates : candidates.slice(0, this.verdict.index);
    return refused.some((candidate) => nameOf(candidate) === name);
  }
}

/** A credential at a deployment: quotas are learned by model. */
const nameOf = ({ deployment, credential, upstreamModel }: Candidate): string => `${deployment.id} ${upstreamModel} ${credential === null ? '' : credentialKey(credential)}`;
