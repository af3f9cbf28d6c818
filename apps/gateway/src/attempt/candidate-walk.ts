import type { Candidate, DejaError, Plan, Settings } from '@deja/contracts';
import { FAILURES, hopelessAfter } from './failure-table.ts';
import { finalError, type AttemptFailure } from './failure.ts';
import type { RetryBudget } from './retry-budget.ts';

/** Why a candidate was not asked: the value of its credential cannot be had, or its quota is used up. */
export type Skipped = 'lease' | 'quota';

/** Who is next, and how long to wait before. */
export interface NextTry {
  candidate: Candidate;
  waitMs: number;
}

/** So many different candidates at one deployment and address may fail for one request before the next one needs budget. */
const FREE_FAILURES = 2;

/** Now, and a number in [0, 1). */
export interface WalkMoment {
  nowMs: number;
  random: number;
}

/**
 * In which order the candidates of one operation are tried, and when it is over: each in the order of the plan, but for those
 * that have become hopeless, and those of a deployment that let a deadline pass, which come last; then, where repeats are allowed,
 * those whose failure may pass, after a while, in the same order.
 * Whoever was not asked yet always may be, but that a deployment which fails with two credentials at one address is most likely down:
 * there a third one comes, as every repeat, out of its retry budget. Another address of it has failed by itself or not at all.
 */
export class CandidateWalk {
  private readonly failures: AttemptFailure[] = [];
  /** Those since the others took over: what is told is why they could not help. */
  private sinceInstead: AttemptFailure[] = [];
  private readonly hopeless = new Set<string>();
  private readonly begunAt = new Set<string>();
  /** Of each place that fails, the candidates that it failed with. */
  private readonly failedAt = new Map<string, Set<string>>();
  private readonly silentAt = new Set<string>();
  private readonly usedInstead = new Set<keyof Plan['instead']>();
  private readonly skippedFor = new Set<Skipped>();
  private ahead: Candidate[];
  private repeatable: Candidate[] = [];
  private round: Candidate[] = [];
  private begun = 0;
  private over = false;

  /** `budget`: null where nothing is asked twice of anybody. */
  constructor(
    private readonly plan: Pick<Plan, 'candidates' | 'instead'>,
    private readonly retries: Settings['retries'],
    private readonly budget: RetryBudget | null,
  ) {
    this.ahead = distinct(plan.candidates);
  }

  /** The next one to be tried; null when it is over. Whoever gets one says what came of it: `skipped`, or `begins` and then, perhaps, `failed`. */
  next(moment: WalkMoment): NextTry | null {
    if (!this.mayBegin) return null;
    for (let candidate = this.takeAhead(); candidate !== undefined; candidate = this.takeAhead()) {
      if (this.mayBeAsked(candidate, moment.nowMs)) return { candidate, waitMs: 0 };
    }
    return this.budget === null ? null : this.nextRepeat(moment);
  }

  /** The next candidate at another deployment that has not failed, for a second call beside the one under way. It stays ahead unless it is begun or skipped. */
  elsewhere(than: Candidate): Candidate | null {
    const fits = (candidate: Candidate): boolean =>
      candidate.deployment.id !== than.deployment.id && !this.failedAt.has(placeOf(candidate)) && !this.isHopeless(candidate) && !isLastResort(candidate);
    return this.mayBegin ? (this.ahead.find(fits) ?? null) : null;
  }

  /** It was not asked after all, which is no attempt. */
  skipped(candidate: Candidate, why: Skipped): void {
    this.ahead = this.ahead.filter((other) => other !== candidate);
    this.skippedFor.add(why);
  }

  begins(candidate: Candidate, nowMs: number): void {
    const place = placeOf(candidate);
    this.ahead = this.ahead.filter((other) => other !== candidate);
    this.begun += 1;
    if (this.begunAt.has(place)) return;
    this.begunAt.add(place);
    this.budget?.deposit(place, this.retries.budget, nowMs);
  }

  failed(candidate: Candidate, failure: AttemptFailure): void {
    const { instead, repeat, deployment } = FAILURES[failure.kind];
    this.failures.push(failure);
    this.sinceInstead.push(failure);
    const place = placeOf(candidate);
    if (deployment === 'failing') this.failedAt.set(place, (this.failedAt.get(place) ?? new Set()).add(nameFor(candidate, 'credential_here')));
    if (failure.kind === 'timeout') this.silentAt.add(place);
    const hopeless = hopelessAfter(failure);
    if (hopeless === 'request') this.turnTo(instead);
    else if (hopeless !== 'nothing') this.hopeless.add(nameFor(candidate, hopeless));
    if (repeat && !this.repeatable.includes(candidate)) this.repeatable.push(candidate);
  }

  /** `quotaWaitMs`: when one of those whose quota is used up may be asked again, -1: never, null: not known. Why nobody has answered: the DejaError for the client, or the failure itself when the client left. */
  end(quotaWaitMs: number | null = null): DejaError | AttemptFailure {
    const last = this.failures.at(-1);
    if (last?.kind === 'cancelled') return last;
    const told = this.sinceInstead.length > 0 || this.skippedFor.size > 0 ? this.sinceInstead : this.failures;
    const left = this.ahead.some((candidate) => !this.isHopeless(candidate));
    return finalError(told, { forQuota: this.skippedFor.has('quota'), forAttempts: left, quotaWaitMs });
  }

  private get mayBegin(): boolean {
    return !this.over && this.begun < this.retries.max_attempts;
  }

  /**
   * In the order of the plan, but for deployments that kept the client waiting for a whole deadline, or failed with two credentials:
   * they come after all others, so that a large pool behind what is down does not use up every attempt.
   */
  private takeAhead(): Candidate | undefined {
    const at = this.ahead.findIndex((candidate) => !this.silentAt.has(placeOf(candidate)) && (this.failedAt.get(placeOf(candidate))?.size ?? 0) < FREE_FAILURES);
    return this.ahead.splice(Math.max(0, at), 1)[0];
  }

  /** After what no candidate for this request can mend, others have their turn, once. */
  private turnTo(instead: keyof Plan['instead'] | null): void {
    const others = instead === null || this.usedInstead.has(instead) ? [] : distinct(this.plan.instead[instead]).filter((candidate) => !this.isHopeless(candidate));
    if (instead === null || others.length === 0 || !this.mayBegin) {
      this.over = true;
      return;
    }
    this.usedInstead.add(instead);
    this.ahead = others;
    this.repeatable = [];
    this.round = [];
    this.sinceInstead = [];
    this.skippedFor.clear();
  }

  private nextRepeat({ nowMs, random }: WalkMoment): NextTry | null {
    const fresh = this.round.length === 0;
    if (fresh) this.round = this.repeatable.filter((candidate) => !this.isHopeless(candidate));
    for (let candidate = this.round.shift(); candidate !== undefined; candidate = this.round.shift()) {
      if (this.mayBeAsked(candidate, nowMs)) return { candidate, waitMs: this.backoffMs(random) };
    }
    return fresh ? null : this.nextRepeat({ nowMs, random });
  }

  private mayBeAsked(candidate: Candidate, nowMs: number): boolean {
    if (this.isHopeless(candidate)) return false;
    const place = placeOf(candidate);
    const failed = this.failedAt.get(place);
    if (this.budget === null || failed === undefined) return true;
    const isFree = failed.size < FREE_FAILURES && !failed.has(nameFor(candidate, 'credential_here'));
    return isFree || this.budget.withdraw(place, nowMs);
  }

  private isHopeless(candidate: Candidate): boolean {
    return (['credential_here', 'credential', 'deployment'] as const).some((what) => this.hopeless.has(nameFor(candidate, what)));
  }

  /** Between half and all of a ceiling that doubles (Brooker, "Exponential Backoff And Jitter", 2015: "equal jitter"). */
  private backoffMs(random: number): number {
    const [firstMs, mostMs] = this.retries.backoff_ms;
    return Math.min(mostMs, firstMs * 2 ** Math.max(0, this.failures.length - 1)) * (0.5 + random / 2);
  }
}

/** What has just been failing is no help beside a call that is only slow. */
const isLastResort = ({ deployment, credential }: Candidate): boolean =>
  (deployment.trouble === 'failing' && deployment.unavailableUntilMs > 0) || (credential?.trouble === 'failing' && credential.unavailableUntilMs > 0);

const distinct = (candidates: Candidate[]): Candidate[] => [...new Set(candidates)];

/** Where it is called. A credential may have an address of its own, which says nothing of the others. */
export const placeOf = ({ deployment: { id, baseUrl } }: Candidate): string => `${id} ${baseUrl}`;

/** What is hopeless, by name. A credential's former value is another one than its new one. Where there is none, it is the deployment that refused. */
function nameFor({ deployment, credential }: Candidate, what: 'credential_here' | 'credential' | 'deployment'): string {
  const value = credential === null ? '' : `${credential.id}@${credential.version}`;
  if (what === 'deployment') return `deployment ${deployment.id}`;
  return what === 'credential' && credential !== null ? `credential ${value}` : `pair ${deployment.id} ${value}`;
}
