import type { SemanticCacheEvents } from '@deja/contracts';
import type { Logger, Telemetry } from '@deja/telemetry';
import type { Attempts } from '../attempt/attempts.ts';
import { Shadows, type RecordLate } from '../attempt/shadow.ts';
import { Judge } from '../judge/judge.ts';
import type { Planner } from '../plan/planner.ts';
import type { AnswerStore } from './answer-store.ts';
import { BoughtVectors } from './bought-vectors.ts';
import { Evidence } from './evidence.ts';
import { LookUp } from './look-up.ts';
import { SemanticLookup, type AskSemanticCache } from './semantic-lookup.ts';

/** Judges are in no hurry, and must not take a provider's quota from those who wait. */
const JUDGED_AT_ONCE = { atOnce: 8, graceMs: 5000 };
const EMBEDDED_AT_ONCE = { atOnce: 64, graceMs: 1000 };
/** Only copies for shadow deployments are counted as such; every call is in the ledger, and counted as an attempt. */
const UNCOUNTED = { shadow: () => undefined };

export interface PipelineCacheParts {
  answers: AnswerStore;
  planner: Planner;
  attempts: Attempts;
  /** Puts a call of our own on its way to the ledger. */
  record: RecordLate;
  /** A look-up in the semantic-cache. */
  ask: AskSemanticCache;
  /** Tells the semantic-cache. */
  notify: <P extends keyof SemanticCacheEvents>(pattern: P, event: SemanticCacheEvents[P]) => Promise<void>;
  telemetry: Pick<Telemetry, 'meter'>;
  logger: Pick<Logger, 'debug' | 'error'>;
}

/** What the way of a request has to do with cached answers: whose vectors have to be bought, what there is, what is kept, what is learned from it. */
export class PipelineCache {
  readonly answers: AnswerStore;
  readonly vectors: BoughtVectors;
  readonly lookUp: LookUp;
  readonly evidence: Evidence;
  private readonly calls: Shadows[];

  constructor({ answers, planner, attempts, record, ask, notify, telemetry, logger }: PipelineCacheParts) {
    const toJudge = new Shadows(attempts, record, UNCOUNTED, logger, JUDGED_AT_ONCE);
    const toEmbed = new Shadows(attempts, record, UNCOUNTED, logger, EMBEDDED_AT_ONCE);
    this.calls = [toJudge, toEmbed];
    this.answers = answers;
    this.vectors = new BoughtVectors(planner, toEmbed);
    this.evidence = new Evidence(new Judge(planner, toJudge, telemetry.meter), notify, logger);
    this.lookUp = new LookUp(answers, new SemanticLookup(ask), this.evidence);
  }

  /** Before the connections close: what was begun is told and recorded. */
  async close(): Promise<void> {
    await Promise.all(this.calls.map((calls) => calls.close()));
    await this.evidence.close();
  }
}
