import type { AdminOperation } from '@deja/admin-api';
import { Secret } from '@deja/config';
import type { AdminAnswer, AdminCall, RouterRpc, UsageRpc } from '@deja/contracts';
import type { Answer, OperationCall } from './operation-call.ts';
import type { AppCalls } from './app-calls.ts';
import { LedgerChanges } from './ledger-changes.ts';
import { SealedAnswers } from './sealed-answers.ts';
import type { ValueSealer } from './value-sealer.ts';

/** Operations that another app does. */
export class Forwarded {
  private readonly sealed = new SealedAnswers();
  private readonly ledgerChanges: LedgerChanges;

  constructor(
    private readonly router: AppCalls<RouterRpc>,
    private readonly usage: AppCalls<UsageRpc>,
    private readonly sealer: ValueSealer,
  ) {
    this.ledgerChanges = new LedgerChanges(router, usage);
  }

  async answer(operation: AdminOperation, given: OperationCall): Promise<Answer> {
    const call = await this.callOf(operation, given);
    const { body, etag, replayed, sealedSecret } = await this.askSealed(operation, call);
    if (operation.secret === undefined) return { body, etag, replayed };
    if (sealedSecret === null) throw new Error(`the answer to ${operation.id} came without its secret`);
    return { body: { ...(body as object), [operation.secret]: await this.sealed.open(sealedSecret) }, etag, replayed };
  }

  /**
   * A stream, a portion of lines at a time: one is asked for when the one before was taken. Rejects where there is not even a first one;
   * what comes after that may break off.
   */
  async portions(operation: AdminOperation, given: OperationCall, signal: AbortSignal): Promise<AsyncGenerator<string>> {
    const call = await this.callOf(operation, given);
    const portion = (after: string | null): Promise<AdminAnswer> => this.usage.read('admin', { ...call, after, changeId: null }, signal);
    const first = await portion(null);
    return (async function* () {
      for (let { body, next } = first; ; { body, next } = await portion(next)) {
        const lines = body as string[];
        if (lines.length > 0) yield `${lines.join('\n')}\n`;
        if (next === null) return;
      }
    })();
  }

  /** What must not pass Redis in clear goes sealed to the cluster's own key. */
  private askSealed(operation: AdminOperation, call: AdminCall): Promise<AdminAnswer> {
    if (operation.sealsBody !== true) return this.ask(operation, call);
    return this.sealer.sealed(new Secret(JSON.stringify(call.body)), (sealed) => this.ask(operation, { ...call, body: { sealed } }));
  }

  private ask(operation: AdminOperation, call: AdminCall): Promise<AdminAnswer> {
    if (operation.owner === 'usage-worker') return operation.change ? this.ledgerChanges.make(operation, call) : this.usage.read('admin', { ...call, after: null, changeId: null });
    return operation.change ? this.router.change('admin', call) : this.router.read('admin', call);
  }

  private async callOf(operation: AdminOperation, { params, sent, change }: OperationCall): Promise<AdminCall> {
    return { ...change, operation: operation.id, params, ...sent, sealTo: operation.secret === undefined ? null : await this.sealed.publicKey() };
  }
}
