import type { Logger } from '@deja/telemetry';
import { inRounds } from './rounds.ts';
import type { StoredObjectsRepository } from './stored-objects.repository.ts';

/** A provider keeps a response for 30 days by default (OpenAI, guide "Conversation state"); where it is kept longer, this is the end of it here. */
const KEPT_MS = 90 * 24 * 60 * 60_000;
const EVERY_MS = 60 * 60_000;
const BATCH = 1000;
/** Of one round, so that a large backlog is no long load; the next round goes on. */
const BATCHES = 100;

/** Forgets responses that no provider has any more. Files and batches stay until they are deleted. */
export class ResponseSweep {
  #rounds: { stop(): Promise<void> } | null = null;
  #isStopped = false;

  constructor(
    private readonly objects: Pick<StoredObjectsRepository, 'removeResponses'>,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** A round now and one every hour. */
  start(): void {
    this.#rounds = inRounds(EVERY_MS, () => this.sweep(), (error) => this.logger.warn({ err: error }, 'old responses could not be forgotten; the next round tries again'));
  }

  /** Resolves when the batch under way is done. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#rounds?.stop();
  }

  /** One round, batch by batch. Rejects when Postgres fails. */
  async sweep(): Promise<void> {
    const before = new Date(this.now() - KEPT_MS);
    let removed = 0;
    for (let batch = 0; batch < BATCHES && !this.#isStopped; batch++) {
      const count = await this.objects.removeResponses(before, BATCH);
      removed += count;
      if (count < BATCH) break;
    }
    if (removed > 0) this.logger.info({ responses: removed }, 'old responses were forgotten');
  }
}
