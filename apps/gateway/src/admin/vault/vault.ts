import type { ReplyOf } from '@deja/admin-api';
import type { AdminChange, RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { AppCalls } from '../app-calls.ts';
import { answered, type Answer } from '../operation-call.ts';

/** How long one call of the operator's may go on. What remains then is for the next one. */
const REWRAP_MS = 20_000;

/** The store of encrypted credentials, which the router keeps. */
export class Vault {
  constructor(
    private readonly router: AppCalls<RouterRpc>,
    private readonly logger: Pick<Logger, 'info'>,
    private readonly now: () => number,
  ) {}

  /** Moves everything to the current master key, a piece at a time, until nothing remains, nothing moves any more, or the time is up. */
  async rewrap({ by }: AdminChange): Promise<Answer<ReplyOf<'rewrapVault'>>> {
    // Each piece is a change of its own, and one more is never too much: there is no answer to be repeated.
    const change = { by, ifMatch: null, idempotency: null };
    const untilMs = this.now() + REWRAP_MS;
    const failed = new Map<string, string>();
    let rewrapped = 0;
    for (;;) {
      const report = await this.router.change('rewrap_vault', { change });
      rewrapped += report.rewrapped;
      for (const { id, reason } of report.failed) failed.set(id, reason);
      if (report.remaining > 0 && report.rewrapped > 0 && this.now() < untilMs) continue;
      const done = { current_key: report.currentKey, rewrapped, remaining: report.remaining, failed: [...failed].map(([id, reason]) => ({ id, reason })) };
      // Under the name `current_key` the log would mask the id.
      this.logger.info({ master_key_id: done.current_key, rewrapped, remaining: done.remaining, failed: failed.size, request_id: by.requestId }, 'the vault was rewrapped by the admin API');
      return answered(done);
    }
  }
}
