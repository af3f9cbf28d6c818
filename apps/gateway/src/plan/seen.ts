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

/** What is seen of one deployment. Times that pass are counted up to the clock's moment, which is set for each plan. */
export class SeenDeployment implements ViewOf<'deployments'> {
  inFlight = 0;
  suspectUntilMs = 0;
  private readonly waiting = new Set<Waiting>();
  private readonly times: Record<CallForm, number[]> = { stream: [], whole: [] };
  private readonly counts: Record<CallForm, number> = { stream: 0, whole: 0 };
  private latency: { peakMs: number; averageMs: number; atMs: number } | null = null;
  private failuresInRow = 0;
  private suspectMs = 0;
  private probes = 0;

  constructor(private readonly clock: { readonly nowMs: number }) {}

  get probing(): boolean {
    return this.probes > 0;
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

  answered(): void {
    this.failuresInRow = 0;
    this.suspectMs = 0;
    this.suspectUntilMs = 0;
  }

  failed(nowMs: number): void {
    this.failuresInRow += 1;
    // Calls that were under way together fail together: that makes nothing worse.
    if (this.failuresInRow < FAILURES_TO_SUSPECT || nowMs < this.suspectUntilMs) return;
    this.suspectMs = Math.min(SUSPECT_MS[1], this.suspectMs === 0 ? SUSPECT_MS[0] : this.suspectMs * 2);
    this.suspectUntilMs = nowMs + this.suspectMs;
  }

  avoidUntil(untilMs: number): void {
    this.suspectUntilMs = Math.max(this.suspectUntilMs, untilMs);
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
  private probes = 0;

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

  avoidUntil(untilMs: number, trouble: Trouble): void {
    if (untilMs <= this.unavailableUntilMs) return;
    this.unavailableUntilMs = untilMs;
    this.trouble = trouble;
  }
}

/** What is left of 1 after so long; a clock that is set back takes nothing away. */
const halved = (ms: number, halfLifeMs: number): number => 0.5 ** (Math.max(0, ms) / halfLifeMs);
