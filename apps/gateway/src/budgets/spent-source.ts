import { MOST_ACCOUNTS, type BudgetAccount, type UsageRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';

type Spent = UsageRpc['spent'];
/** Asks the usage-worker; rejects when it has not answered by the deadline (milliseconds from now). */
export type CallSpent = (request: Spent['request'], deadlineMs: number) => Promise<Spent['reply']>;

/** After a question that nobody answered, none is put for so long: requests are not to wait one after another for a worker that is away. */
const QUIET_MS = 1000;

/**
 * What the ledger says was spent of budgets, for those that Redis does not know. Questions about an account that come while one
 * is on its way get its answer.
 */
export class SpentSource {
  private readonly asking = new Map<string, Promise<string>>();
  private quietUntilMs = 0;
  private answers = true;

  constructor(
    private readonly call: CallSpent,
    private readonly logger: Pick<Logger, 'warn' | 'info'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Integer nano-USD as text, in the order asked. Rejects at the latest at the deadline (milliseconds from now), and at once shortly after nobody answered. */
  async spent(accounts: readonly BudgetAccount[], deadlineMs: number): Promise<string[]> {
    const asked = [...new Map(accounts.map((account) => [account.key, account])).values()].filter(({ key }) => !this.asking.has(key));
    if (asked.length > 0 && this.now() < this.quietUntilMs) throw new Error('the ledger did not answer a moment ago');
    for (let at = 0; at < asked.length; at += MOST_ACCOUNTS) this.ask(asked.slice(at, at + MOST_ACCOUNTS), deadlineMs);
    // An answer that another asked for may be due later than this one can wait.
    return await within(Promise.all(accounts.map(({ key }) => this.asking.get(key) ?? Promise.resolve('0'))), deadlineMs);
  }

  private ask(accounts: BudgetAccount[], deadlineMs: number): void {
    const answer = this.answered(accounts, deadlineMs);
    for (const [index, { key }] of accounts.entries()) {
      const one = answer.then((spent) => spent[index] ?? '0');
      one.catch(() => undefined); // whoever asked hears of it by Promise.all
      this.asking.set(key, one);
    }
    void answer.catch(() => undefined).finally(() => {
      for (const { key } of accounts) this.asking.delete(key);
    });
  }

  private async answered(accounts: BudgetAccount[], deadlineMs: number): Promise<string[]> {
    try {
      const { spentNanoUsd } = await this.call({ accounts }, deadlineMs);
      if (spentNanoUsd.length !== accounts.length) throw new Error('the ledger answered for other accounts than it was asked for');
      this.stands(true, null);
      return spentNanoUsd;
    } catch (error) {
      this.quietUntilMs = this.now() + QUIET_MS;
      this.stands(false, error);
      throw error;
    }
  }

  /** One line when it begins, one when it is over. */
  private stands(answers: boolean, error: unknown): void {
    if (answers === this.answers) return;
    this.answers = answers;
    if (answers) this.logger.info('the usage-worker says again what was spent of budgets');
    else this.logger.warn({ err: error }, 'the usage-worker does not say what was spent of budgets: those that Redis does not know are decided by their degraded mode');
  }
}

async function within<T>(answer: Promise<T>, deadlineMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the ledger did not answer within ${deadlineMs} ms`)), deadlineMs);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
