import { WrongRates, type Calibration, type VerdictKind } from '@deja/similarity';
import { randomFrom } from './month-random.ts';
import { DAY_MS, type Request } from './month-traffic.ts';
import type { World } from './month-world.ts';

/** Of the nearest so many, the surest is taken; as in apps/semantic-cache. */
const CANDIDATES = 10;
const TTL_MS = DAY_MS;
const REPLICAS = 2;
const SURENESS: Record<VerdictKind, number> = { same_text: 0, surface: 1, synonym: 2, paraphrase: 3 };

export interface Conditions {
  maxWrongRate: number;
  auditShare: number;
  /** How often an audit's comparison errs, either way. */
  comparisonError: number;
  /** From this day on, this share of the pairs of a kind have answers that are not the same after all, whatever their words. */
  lies: { fromDay: number; shares: Partial<Record<VerdictKind, number>> };
}

export interface Outcome {
  requests: number;
  exact: number;
  /** Semantic hits. */
  served: number;
  /** Of them. */
  wrong: number;
  audits: number;
  /** Matches that were not served, for their risk or because the scope was stopped. */
  refused: number;
  /** In units of an average answer: of all requests, of exact hits, of semantic hits. */
  cost: number;
  savedExact: number;
  savedSemantic: number;
}

interface Kept {
  entry: string;
  text: number;
  expiresAtMs: number;
}

/** One month of requests through exact cache, search, verification and policy. `kindOf`: the verdict on two texts, null where they are not the same. */
export class Month {
  private readonly world: World;
  private readonly kindOf: (a: number, b: number) => VerdictKind | null;
  private readonly conditions: Conditions;
  private readonly seed: number;
  private readonly replicas: WrongRates[];
  private readonly random: () => number;
  /** By scope and text: the newest answer. */
  private readonly kept = new Map<string, Kept>();
  /** By scope and normalised text: what the exact cache has. */
  private readonly exact = new Map<string, Kept>();
  private entries = 0;
  private readonly outcome: Outcome = { requests: 0, exact: 0, served: 0, wrong: 0, audits: 0, refused: 0, cost: 0, savedExact: 0, savedSemantic: 0 };

  constructor(world: World, kindOf: (a: number, b: number) => VerdictKind | null, calibration: Calibration, conditions: Conditions, seed: number) {
    this.world = world;
    this.kindOf = kindOf;
    this.conditions = conditions;
    this.seed = seed;
    this.replicas = Array.from({ length: REPLICAS }, () => new WrongRates(calibration, { learnsFromRefused: true }));
    this.random = randomFrom(seed * 104_729 + 3);
  }

  run(requests: readonly Request[]): Outcome {
    for (const request of requests) this.answer(request);
    return this.outcome;
  }

  private answer(request: Request): void {
    const { atMs, scope, text, cost } = request;
    this.outcome.requests++;
    this.outcome.cost += cost;
    const known = this.exact.get(`${scope} ${this.world.normalised[text]}`);
    if (known !== undefined && known.expiresAtMs > atMs) {
      this.outcome.exact++;
      this.outcome.savedExact += cost;
      return;
    }
    if (!this.semantic(request)) this.keep(scope, text, atMs);
  }

  /** Whether a kept answer was served. */
  private semantic({ atMs, scope, text, cost }: Request): boolean {
    const replica = this.replicas[Math.floor(this.random() * REPLICAS)];
    const match = this.surest(scope, text, atMs);
    if (match === null || replica === undefined) return false;
    const { kept, kind, cosine } = match;
    const { maxWrongRate, auditShare, comparisonError } = this.conditions;
    const about = { tenant: `tenant-${scope}`, model: 'm', entry: kept.entry, kind, similarity: cosine };
    const { decision, reason } = replica.decide({ ...about, maxWrongRate, auditShare }, { nowMs: atMs, random: this.random() });
    const wrong = this.isWrong(kind, text, kept.text, atMs);
    if (decision === 'serve') {
      this.outcome.served++;
      this.outcome.savedSemantic += cost;
      if (wrong) this.outcome.wrong++;
      return true;
    }
    if (decision === 'refuse') this.outcome.refused++;
    else {
      this.outcome.audits++;
      const seen = this.random() < comparisonError ? !wrong : wrong;
      for (const each of this.replicas) each.observe({ ...about, atMs, wrong: seen, source: 'audit', refused: reason === 'too_risky' });
    }
    return false;
  }

  private surest(scope: number, text: number, atMs: number): { kept: Kept; kind: VerdictKind; cosine: number } | null {
    let best: { kept: Kept; kind: VerdictKind; cosine: number } | null = null;
    let candidates = 0;
    for (const { text: other, cosine } of this.world.neighbours[text] ?? []) {
      const kept = this.kept.get(`${scope} ${other}`);
      if (kept === undefined || kept.expiresAtMs <= atMs) continue;
      if (candidates++ === CANDIDATES) break;
      const kind = this.kindOf(text, other);
      if (kind !== null && (best === null || SURENESS[kind] < SURENESS[best.kind])) best = { kept, kind, cosine };
    }
    return best;
  }

  private keep(scope: number, text: number, atMs: number): void {
    const kept = { entry: `${this.entries++}`, text, expiresAtMs: atMs + TTL_MS };
    this.kept.set(`${scope} ${text}`, kept);
    this.exact.set(`${scope} ${this.world.normalised[text]}`, kept);
  }

  /** The oracle. Lies belong to the pair, so that the same pair lies all month. */
  private isWrong(kind: VerdictKind, text: number, other: number, atMs: number): boolean {
    if (this.world.answer[text] !== this.world.answer[other]) return true;
    const { fromDay, shares } = this.conditions.lies;
    const lies = atMs < fromDay * DAY_MS ? 0 : (shares[kind] ?? 0);
    return lies > 0 && randomFrom(this.seed ^ (Math.min(text, other) * 40_503 + Math.max(text, other) * 2_654_435))() < lies;
  }
}
