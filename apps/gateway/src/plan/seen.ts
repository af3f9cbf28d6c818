import type { Trouble } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';

type ViewOf<K extends keyof RoutingView> = RoutingView[K] extends ReadonlyMap<string, infer V> ? V : never;

/** Whether an answer comes piece by piece or whole: the times to its first byte are not alike. */
export type CallForm = 'stream' | 'whole';

/** A call that has not had its first byte yet. */
export interface Waiting {
  readonly sinceMs: number;
}

const RING = 128;
const FEWEST_SAMPLES = 20;
/** A peak is half forgotten after this. */
const PEAK_HALF_LIFE_MS = 10_000;
/** The average below it is half forgotten after this, so that one that was slow once is tried again. */
const AVERAGE_HALF_LIFE_MS = 300_000;
const AVERAGE_WEIGHT = 0.1;
const FAILURES_TO_SUSPECT = 3;
const SUSPECT_MS = [1000, 5000] as const;

/** How long something that fails again and again is not to come before others. */
class Suspicion {
  /** Unix ms. */
  untilMs = 0;
  private failuresInRow = 0;
  private ms = 0;

  /** `counts`: whether these failures are its own doing; a row of them goes on in any case. */
  failed(nowMs: number, counts = true): void {
    this.failuresInRow += 1;
    // Calls that were under way together fail together: that makes nothing worse.
    if (!counts || this.failuresInRow < FAILURES_TO_SUSPECT || nowMs < this.untilMs) return;
    this.ms = Math.min(SUSPECT_MS[1], this.ms === 0 ? SUSPECT_MS[0] : this.ms * 2);
    this.untilMs = nowMs + this.ms;
  }

  answered(): void {
    this.failuresInRow = 0;
    this.ms = 0;
    this.untilMs = 0;
  }
}

/** What is seen of one deployment. Times that pass are counted up to the clock's moment, which is set for each plan. */
export class SeenDeployment implements ViewOf<'deployments'> {
  inFlight = 0;
  private readonly suspicion = new Suspicion();
  /** The turn in which the latest call began that has gone well. */
  private answeredFrom = 0;
  /** The turn since which each credential that fails here has had no answer. */
  private readonly failingFrom = new WeakMap<SeenCredential, number>();
  private readonly waiting = new Set<Waiting>();
  private readonly times: Record<CallForm, number[]> = { stream: [], whole: [] };
  private readonly counts: Record<CallForm, number> = { stream: 0, whole: 0 };
  private latency: { peakMs: number; averageMs: number; atMs: number } | null = null;
  private probes = 0;

  constructor(private readonly clock: { readonly nowMs: number }) {}

  get probing(): boolean {
    return this.probes > 0;
  }

  get suspectUntilMs(): number {
    return this.suspicion.untilMs;
  }

  get oldestWaitMs(): number {
    const [oldest] = this.waiting; // in the order of their beginning
    return oldest === undefined ? 0 : Math.max(0, this.clock.nowMs - oldest.sinceMs);
  }

  /** Rises with a slow call at once, and falls back to the average of the calls before. */
  get firstByteMs(): number | null {
    return this.latency === null ? null : this.expectedMs(this.clock.nowMs);
  }

  begins(waiting: Waiting | null, probes: boolean): void {
    this.inFlight += 1;
    if (waiting !== null) this.waiting.add(waiting);
    if (probes) this.probes += 1;
  }

  ends(waiting: Waiting, probes: boolean): void {
    this.inFlight -= 1;
    this.waiting.delete(waiting);
    if (probes) this.probes -= 1;
  }

  firstByteAfter(ms: number, form: CallForm, nowMs: number, waiting: Waiting): void {
    this.waiting.delete(waiting);
    this.times[form][this.counts[form]++ % RING] = ms;
    const [averageMs, expectedMs] = this.latency === null ? [ms, ms] : [this.averageMs(nowMs), this.expectedMs(nowMs)];
    this.latency = { peakMs: Math.max(ms, expectedMs), averageMs: averageMs + (ms - averageMs) * AVERAGE_WEIGHT, atMs: nowMs };
  }

  /** It would have taken longer: worth knowing only where that is more than was thought. */
  tookAtLeast(ms: number, nowMs: number): void {
    if (this.latency !== null && ms > this.expectedMs(nowMs)) this.latency = { peakMs: ms, averageMs: this.averageMs(nowMs), atMs: nowMs };
  }

  /** `from`: the turn in which the call began. Turns count what begins and fails in one view, so that no two happen together. */
  answered(from: number, credential: SeenCredential | null): void {
    this.suspicion.answered();
    this.answeredFrom = Math.max(this.answeredFrom, from);
    if (credential !== null) this.failingFrom.delete(credential);
  }

  failed(nowMs: number): void {
    this.suspicion.failed(nowMs);
  }

  /** A call failed: whether this credential alone does, because a call that began after it had begun to fail went well with another one. */
  failsOnlyWith(credential: SeenCredential, turn: number): boolean {
    const from = this.failingFrom.get(credential);
    if (from === undefined) this.failingFrom.set(credential, turn);
    return from !== undefined && this.answeredFrom > from;
  }

  avoidUntil(untilMs: number): void {
    this.suspicion.untilMs = Math.max(this.suspicion.untilMs, untilMs);
  }

  /** By nearest rank. */
  percentile(p: number, form: CallForm): number | null {
    const sorted = this.times[form].toSorted((a, b) => a - b);
    if (sorted.length < FEWEST_SAMPLES) return null;
    return sorted[Math.min(sorted.length, Math.max(1, Math.ceil((p / 100) * sorted.length))) - 1] ?? null;
  }

  private averageMs(nowMs: number): number {
    return this.latency === null ? 0 : this.latency.averageMs * halved(nowMs - this.latency.atMs, AVERAGE_HALF_LIFE_MS);
  }

  private expectedMs(nowMs: number): number {
    if (this.latency === null) return 0;
    const { peakMs, averageMs, atMs } = this.latency;
    return this.averageMs(nowMs) + Math.max(0, peakMs - averageMs) * halved(nowMs - atMs, PEAK_HALF_LIFE_MS);
  }
}

/** What is seen of one value of a credential. */
export class SeenCredential implements ViewOf<'credentials'> {
  inFlight = 0;
  unavailableUntilMs = 0;
  trouble: Trouble | undefined;
  private readonly suspicion = new Suspicion();
  private probes = 0;

  get suspectUntilMs(): number {
    return this.suspicion.untilMs;
  }

  get probing(): boolean {
    return this.probes > 0;
  }

  begins(probes: boolean): void {
    this.inFlight += 1;
    if (probes) this.probes += 1;
  }

  ends(probes: boolean): void {
    this.inFlight -= 1;
    if (probes) this.probes -= 1;
  }

  answered(): void {
    this.suspicion.answered();
  }

  /** `alone`: whether it is to blame, and not the deployment that it was used at. */
  failed(nowMs: number, alone: boolean): void {
    this.suspicion.failed(nowMs, alone);
  }

  avoidUntil(untilMs: number, trouble: Trouble): void {
    if (untilMs <= this.unavailableUntilMs) return;
    this.unavailableUntilMs = untilMs;
    this.trouble = trouble;
  }
}

/** What is left of 1 after so long; a clock that is set back takes nothing away. */
const halved = (ms: number, halfLifeMs: number): number => 0.5 ** (Math.max(0, ms) / halfLifeMs);
