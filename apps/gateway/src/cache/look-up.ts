import { setTimeout as delay } from 'node:timers/promises';
import { cacheEntryKey, type SemanticMatch } from '@deja/contracts';
import { AttemptFailure } from '../attempt/failure.ts';
import type { Asking } from '../judge/judge.ts';
import type { Reserved } from '../limits/reserve.ts';
import type { Operation } from '../operation/operation.ts';
import type { AnswerStore } from './answer-store.ts';
import { AuditBudget } from './audit-budget.ts';
import type { CacheEntry } from './entry.ts';
import type { Evidence, KeptForAudit } from './evidence.ts';
import type { QuestionPlace } from './question-place.ts';
import type { SemanticLookup } from './semantic-lookup.ts';

/** What the cache has for a request. Where it has nothing, `x-cache-reason` is on the operation by then. */
export type LookedUp =
  | { found: 'exact'; entry: CacheEntry }
  | { found: 'semantic'; entry: CacheEntry; match: SemanticMatch }
  /** `audit`: there was an answer, and the provider is asked all the same, to compare. */
  | { found: null; audit: KeptForAudit | null };

const NOTHING: LookedUp = { found: null, audit: null };

/** Time, for tests to hold. */
export interface LookUpClock {
  /** Unix ms. */
  nowMs(): number;
  /** Rejects when the signal fires. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

const CLOCK: LookUpClock = { nowMs: Date.now, wait: (ms, signal) => delay(ms, undefined, { signal }) };

/** Step 7: the same question's answer, else a similar one's. */
export class LookUp {
  constructor(
    private readonly answers: Pick<AnswerStore, 'read' | 'look'>,
    private readonly semantic: SemanticLookup,
    private readonly evidence: Pick<Evidence, 'judge'>,
    private readonly budget: AuditBudget = new AuditBudget(),
    private readonly clock: LookUpClock = CLOCK,
  ) {}

  /** Never throws, never rejects. Waits only for the semantic-cache. */
  find(asking: Asking, place: QuestionPlace, reserved: Pick<Reserved, 'exact' | 'degraded' | 'semanticPresent'>): LookedUp | Promise<LookedUp> {
    const { operation } = asking;
    if (!place.wishes.read || place.cache === 'BYPASS') return NOTHING;
    if (reserved.degraded) operation.cacheReason = 'cache_unavailable';
    const exact = this.answers.look(reserved.exact[0] ?? null, 'exact', place);
    if ('entry' in exact) return { found: 'exact', entry: exact.entry };
    if (place.partition !== null && reserved.semanticPresent) return this.similar(asking, place);
    operation.cacheReason ??= exact.reason;
    return NOTHING;
  }

  /**
   * Whether the client gets this from the cache; then it is on the operation. A similar question's answer waits until it may be
   * sent (`pad_hits_ms`), and is none for a prompt in which content safety found something in the meantime. Throws an AttemptFailure when the client left.
   */
  take(operation: Operation, { policy }: QuestionPlace, looked: LookedUp): boolean | Promise<boolean> {
    if (looked.found === null) return false;
    if (looked.found === 'exact') {
      operation.servedFromCache({ ...looked.entry, similarity: null }, 'exact');
      return true;
    }
    if (operation.flags.size > 0) {
      operation.cacheReason = 'flagged';
      return false;
    }
    return this.takeSimilar(operation, policy.pad_hits_ms, looked);
  }

  private async takeSimilar(operation: Operation, padMs: number, { entry, match: { similarity, explanation } }: Extract<LookedUp, { found: 'semantic' }>): Promise<boolean> {
    await this.pad(operation, padMs);
    operation.servedFromCache({ ...entry, similarity, explanation }, 'semantic');
    return true;
  }

  private async similar(asking: Asking, place: QuestionPlace): Promise<LookedUp> {
    const { operation } = asking;
    const reply = await this.semantic.find(place, operation, this.mayAudit(place, 'has'));
    if (reply.outcome === 'miss') {
      operation.cacheReason = reply.unjudged ? 'unjudged' : reply.reason;
      if (reply.unjudged) this.evidence.judge(asking, place, reply.unjudged);
      return NOTHING;
    }
    const read = this.answers.read(cacheEntryKey(place.tenant, reply.entry));
    if (reply.outcome === 'audit') {
      const { outcome: _, refused, ...match } = reply;
      operation.cacheReason = refused ? 'too_risky' : 'audit';
      // It was not counted as served, so it is not to be served, also where others have used up the budget since it was asked.
      if (!this.mayAudit(place, 'take')) return NOTHING;
      // Read at once, because it may go at any time; nobody waits for it.
      return { found: null, audit: { match, refused, kept: read.then((value) => this.entryIn(value, place)) } };
    }
    const { outcome: _, ...match } = reply;
    const similar = this.answers.look(await read, 'semantic', place);
    if ('entry' in similar) return { found: 'semantic', entry: similar.entry, match };
    operation.cacheReason = similar.reason === 'no_entry' ? 'entry_gone' : similar.reason;
    return NOTHING;
  }

  /** Who accepts no other answer is not to be refused one for the sake of an audit. */
  private mayAudit({ wishes, tenant, policy }: QuestionPlace, how: 'has' | 'take'): boolean {
    return !wishes.onlyIfCached && this.budget[how](tenant, policy.semantic.audit.max_per_hour, this.clock.nowMs());
  }

  private entryIn(value: Buffer | null, place: QuestionPlace): CacheEntry | null {
    const looked = this.answers.look(value, 'semantic', place);
    return 'entry' in looked ? looked.entry : null;
  }

  private async pad(operation: Operation, untilMs: number): Promise<void> {
    const waitMs = untilMs - operation.elapsedMs;
    if (waitMs <= 0) return;
    await this.clock.wait(waitMs, operation.signal).catch((cause: unknown) => {
      throw new AttemptFailure('cancelled', { cause });
    });
  }
}
