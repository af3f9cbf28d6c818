import type { OperationId } from '@deja/admin-api';
import { USER } from './admin-cluster.ts';

export const NOBODYS_UUID = '019b7d9e-0000-7000-8000-000000000001';

/** How the owner of one tenant calls an operation with something of another's, or with what a call without anything of anybody's needs. */
export interface Call {
  params?: string[];
  query?: Record<string, string>;
  body?: object;
}

/** Of the ledger's operations: calls that name a tenant, or a job of it. */
export const foreignLedger = (tenant: string, job: string) => ({
  getInvoice: { named: [{ query: { tenant, month: new Date().toISOString().slice(0, 7) } }] },
  findUserData: { named: [{ query: { tenant, user: USER } }] },
  eraseUserData: { named: [{ body: { tenant, user: USER } }] },
  repriceLedger: { named: [{ body: { tenant, from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' } }] },
  listJobs: { named: [{}] },
  getJob: { named: [{ params: [job] }] },
  listRejectedEvents: { named: [{}] },
  replayRejectedEvents: { named: [{ body: {} }] },
  getReconciliation: { named: [{}] },
}) satisfies Partial<Record<OperationId, { named: Call[] }>>;

/** Rules, what they say and to whom are not for one tenant. */
export const EVERYBODYS_ALERTS = {
  createAlert: { named: [{ body: { name: 'intruder', when: { metric: 'error_rate' }, notify: [{ webhook: 'https://example.com/hook' }] } }] },
  listAlerts: { named: [{}] },
  getAlert: { named: [{ params: [NOBODYS_UUID] }] },
  updateAlert: { named: [{ params: [NOBODYS_UUID], body: { enabled: false } }] },
  deleteAlert: { named: [{ params: [NOBODYS_UUID] }] },
  createSilence: { named: [{ body: { ends_at: '2999-01-01T00:00:00Z' } }] },
  listSilences: { named: [{}] },
  deleteSilence: { named: [{ params: [NOBODYS_UUID] }] },
  listAlertStates: { named: [{}] },
  listAlertEvents: { named: [{}] },
  testAlert: { named: [{ params: [NOBODYS_UUID] }] },
} satisfies Partial<Record<OperationId, { named: Call[] }>>;
