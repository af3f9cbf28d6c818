import { isAtLeast } from '@deja/admin-api';
import { DejaError, type AdminAnswer } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { listAlertEvents, listAlertStates } from '../alerts/list-alerts.ts';
import { testAlert, type TestAlertParts } from '../alerts/test-alert.ts';
import { eraseUserData, findUserData } from '../erasure/user-data.ts';
import { getJob, listJobs } from '../jobs/job-queries.ts';
import type { JobStore } from '../jobs/job-store.ts';
import { repriceLedger } from '../prices/reprice.ts';
import { exportUsage } from '../queries/export-usage.ts';
import { getInvoice } from '../queries/get-invoice.ts';
import { getUsage } from '../queries/get-usage.ts';
import type { LedgerReader } from '../queries/ledger-reader.ts';
import type { Asked } from '../queries/question.ts';
import { getRequest, listRequests } from '../queries/requests.ts';
import { getReconciliation } from '../reconcile/get-reconciliation.ts';
import { listRejectedEvents } from '../rejected/list-rejected-events.ts';
import { changeOf, checkRole, queryOf, type UsageCall } from './admin-call.ts';

export interface UsageCallsParts {
  reader: LedgerReader;
  jobs: JobStore;
  alerts: TestAlertParts;
  /** Whether the words of prompts are kept. */
  searches: () => boolean;
}

type Read = (client: PoolClient) => Promise<unknown>;

/** The calls of the admin API that the usage-worker answers. */
export class UsageCalls {
  private readonly parts: UsageCallsParts;

  constructor(parts: UsageCallsParts) {
    this.parts = parts;
  }

  /** `deadlineMs`: how long the caller waits from `nowMs` (Unix) on. Throws what the caller is to be told. */
  async answer(call: UsageCall, nowMs: number, deadlineMs: number | null): Promise<AdminAnswer> {
    checkRole(call);
    this.checkSearch(call);
    if (call.operation === 'exportUsage') return this.exported(call, nowMs, deadlineMs);
    // Queries are read before a connection is taken: a bad one costs none.
    const read = readOf(call, { scope: call.by.tenant, nowMs });
    return answered(read === null ? await this.made(call, nowMs) : await this.parts.reader.read(read, deadlineMs));
  }

  /** Whoever may not read bodies may not try out their words either; and words that nobody keeps are not looked for in silence. */
  private checkSearch({ operation, query, by }: UsageCall): void {
    if (operation !== 'listRequests' && operation !== 'exportUsage') return;
    if (queryOf(operation, query).q === undefined) return;
    if (!isAtLeast(by.role, 'operator')) throw new DejaError('permission_denied', 'Your role does not allow to search prompts: that needs an operator.', { param: 'q' });
    if (!this.parts.searches()) throw new DejaError('invalid_value', "Invalid value for 'q': words of prompts are not kept. Switch that on with request_log: { search: true } in deja.yaml.", { param: 'q' });
  }

  private async exported(call: UsageCall, nowMs: number, deadlineMs: number | null): Promise<AdminAnswer> {
    const query = queryOf('exportUsage', call.query);
    const { lines, next } = await this.parts.reader.read((client) => exportUsage(client, { scope: call.by.tenant, nowMs }, query, call.after), deadlineMs);
    return { ...answered(lines), next };
  }

  /** What is more than a look. */
  private async made(call: UsageCall, nowMs: number): Promise<unknown> {
    const { jobs, alerts } = this.parts;
    switch (call.operation) {
      case 'eraseUserData':
        return eraseUserData(jobs, { ...changeOf('eraseUserData', call), by: call.by });
      case 'repriceLedger':
        return repriceLedger(jobs, { ...changeOf('repriceLedger', call), by: call.by });
      case 'replayRejectedEvents': {
        const { body, changeId } = changeOf('replayRejectedEvents', call);
        return jobs.create({ id: changeId, kind: 'replay_rejected', request: body, by: call.by.name });
      }
      case 'testAlert':
        return testAlert(alerts, call.params['id'] ?? '', nowMs);
      default:
        throw new TypeError(`nobody answers ${call.operation}`);
    }
  }
}

/** How it is read from the ledger; null for what is more than that. */
function readOf({ operation, params, query }: UsageCall, asked: Asked): Read | null {
  const id = params['id'] ?? '';
  switch (operation) {
    case 'listRequests':
      return reading(queryOf(operation, query), (client, given) => listRequests(client, asked, given));
    case 'getRequest':
      return (client) => getRequest(client, asked, id);
    case 'getUsage':
      return reading(queryOf(operation, query), (client, given) => getUsage(client, asked, given));
    case 'getInvoice':
      return reading(queryOf(operation, query), (client, given) => getInvoice(client, asked, given));
    case 'findUserData':
      return reading(queryOf(operation, query), (client, given) => findUserData(client, asked, given));
    case 'listJobs':
      return reading(queryOf(operation, query), (client, given) => listJobs(client, asked, given));
    case 'getJob':
      return (client) => getJob(client, asked, id);
    case 'listRejectedEvents':
      return reading(queryOf(operation, query), (client, given) => listRejectedEvents(client, given));
    case 'getReconciliation':
      return (client) => getReconciliation(client, asked.nowMs);
    case 'listAlertStates':
      return reading(queryOf(operation, query), (client, given) => listAlertStates(client, asked, given));
    case 'listAlertEvents':
      return reading(queryOf(operation, query), (client, given) => listAlertEvents(client, asked, given));
    default:
      return null;
  }
}

const reading = <Query>(query: Query, read: (client: PoolClient, query: Query) => Promise<unknown>): Read => (client) => read(client, query);
const answered = (body: unknown): AdminAnswer => ({ body, next: null, etag: null, sealedSecret: null, replayed: false });
