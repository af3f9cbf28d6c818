import { createHash } from 'node:crypto';
import type { AdminOperation } from '@deja/admin-api';
import { newId, type AdminAnswer, type AdminCall, type RouterRpc, type UsageRpc } from '@deja/contracts';
import type { AppCalls } from './app-calls.ts';

/** Changes of the ledger: they stand in the audit log, which the router has, before the usage-worker makes them. */
export class LedgerChanges {
  constructor(
    private readonly router: AppCalls<RouterRpc>,
    private readonly usage: AppCalls<UsageRpc>,
  ) {}

  /** Under one idempotency key the change has one id, so that the usage-worker makes it once however often it is told to. */
  async make(operation: AdminOperation, call: AdminCall): Promise<AdminAnswer> {
    const { by, ifMatch, idempotency, body } = call;
    const fresh = newId();
    const { outcome, replayed } = await this.router.change('audit', {
      change: { by, ifMatch, idempotency },
      action: operation.id,
      resource: operation.path.split('/')[0] ?? '',
      resourceId: call.params['id'] ?? null,
      tenant: tenantIn(body) ?? by.tenant,
      // The job has the id of its change.
      after: { ...(isObject(body) && withoutName(body)), job: fresh },
      outcome: { changeId: fresh },
    });
    const { changeId } = outcome as { changeId: string };
    return { ...(await this.usage.change('admin', { ...call, after: null, changeId })), replayed };
  }
}

/** The audit log is only added to: a name that is to be erased must not be kept there for good. */
function withoutName(body: Record<string, unknown>): Record<string, unknown> {
  const { user, ...rest } = body;
  return typeof user === 'string' ? { ...rest, user_sha256: createHash('sha256').update(user).digest('hex') } : rest;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const tenantIn = (body: unknown): string | null => (isObject(body) && typeof body['tenant'] === 'string' ? body['tenant'] : null);
