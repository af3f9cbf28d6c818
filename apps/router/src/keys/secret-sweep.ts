import type { Logger } from '@deja/telemetry';
import { inRounds } from '../objects/rounds.ts';
import type { ClientKeysRepository } from './client-keys.repository.ts';

const EVERY_MS = 60 * 60_000;
const BATCH = 1000;

/** Removes hashes of former secrets whose grace is over. They are good for nothing from that moment on; this only tidies up. */
export class SecretSweep {
  #rounds: { stop(): Promise<void> } | null = null;

  constructor(
    private readonly keys: Pick<ClientKeysRepository, 'removeEnded'>,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** A round now and one every hour. */
  start(): void {
    this.#rounds = inRounds(EVERY_MS, () => this.sweep(), (error) => this.logger.warn({ err: error }, 'ended secrets of client keys could not be removed; the next round tries again'));
  }

  async stop(): Promise<void> {
    await this.#rounds?.stop();
  }

  /** One round. Rejects when Postgres fails. */
  async sweep(): Promise<void> {
    let removed = 0;
    for (let last = BATCH; last === BATCH; removed += last) last = await this.keys.removeEnded(new Date(this.now()), BATCH);
    if (removed > 0) this.logger.info({ secrets: removed }, 'ended secrets of client keys were removed');
  }
}
