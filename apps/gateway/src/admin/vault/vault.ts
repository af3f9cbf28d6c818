import type { Logger } from '@deja/telemetry';
import type { RouterCalls } from '../router-calls.ts';

/** How long one call of the operator's may go on. What remains then is for the next one. */
const REWRAP_MS = 20_000;

/** What a rewrap came to. */
export interface RewrapObject {
  /** Id of the current master key. */
  current_key: string;
  /** Moved to it by this call. */
  rewrapped: number;
  /** Still to be moved. */
  remaining: number;
  /** What cannot be moved, and why. */
  failed: { id: string; reason: string }[];
}

/** The store of encrypted credentials, which the router keeps. */
export class Vault {
  constructor(
    private readonly router: RouterCalls,
    private readonly logger: Pick<Logger, 'info'>,
    private readonly now: () => number,
  ) {}

  /** Moves everything to the current master key, a piece at a time, until nothing remains, nothing moves any more, or the time is up. */
  async rewrap(): Promise<RewrapObject> {
    const untilMs = this.now() + REWRAP_MS;
    const failed = new Map<string, string>();
    let rewrapped = 0;
    for (;;) {
      const report = await this.router.change('rewrap_vault', {});
      rewrapped += report.rewrapped;
      for (const { id, reason } of report.failed) failed.set(id, reason);
      if (report.remaining > 0 && report.rewrapped > 0 && this.now() < untilMs) continue;
      const done = { current_key: report.currentKey, rewrapped, remaining: report.remaining, failed: [...failed].map(([id, reason]) => ({ id, reason })) };
      // Under the name `current_key` the log would mask the id.
      this.logger.info({ master_key_id: done.current_key, rewrapped, remaining: done.remaining, failed: failed.size }, 'the vault was rewrapped by the admin API');
      return done;
    }
  }
}
