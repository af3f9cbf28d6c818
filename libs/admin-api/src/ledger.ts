import { z } from 'zod';
import { listOf, modelName, moment, page, tenantId, usdOut, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

const count = z.int();
const userName = z.string().min(1).max(512);

/** Of one model at one price. Its `cost_usd` is the exact sum of the rows; requests whose cost is unknown are counted apart, and where there are no others it is null. */
const invoiceLine = z.object({
  model: z.string().nullable(),
  provider: z.string().nullable(),
  price_version: z.string().nullable(),
  requests: count,
  prompt_tokens: count,
  cached_tokens: count,
  cache_write_tokens: count,
  completion_tokens: count,
  reasoning_tokens: count,
  cost_usd: usdOut,
  unpriced_requests: count,
});
const invoice = z.object({
  object: z.literal('invoice'),
  tenant: tenantId,
  /** `2026-11`, in `time_zone`. */
  month: z.string(),
  time_zone: z.string(),
  from: wireMoment,
  to: wireMoment,
  /** False as long as the month lasts, and for a day: what was received in it may still arrive. */
  final: z.boolean(),
  lines: z.array(invoiceLine),
  requests: count,
  cost_usd: z.string(),
  saved_usd: z.string(),
  unpriced_requests: count,
});
export type Invoice = z.output<typeof invoice>;

const userData = z.object({
  object: z.literal('user_data'),
  tenant: tenantId,
  user: z.string(),
  requests: count,
  /** Requests of which bodies are kept. */
  captured: count,
  cost_usd: usdOut,
  first_at: wireMoment,
  last_at: wireMoment,
});

/** Work that takes its time. It goes on where it was when a usage-worker dies. */
export const jobObject = z.object({
  object: z.literal('job'),
  id: z.uuid(),
  kind: z.enum(['reprice', 'erase_user', 'replay_rejected']),
  state: z.enum(['waiting', 'running', 'done', 'failed']),
  /** As it was asked for. */
  request: z.record(z.string(), z.unknown()),
  /** What it has done so far; its members are the kind's. */
  result: z.record(z.string(), z.unknown()),
  error: z.string().nullable(),
  created_by: z.string(),
  created_at: wireMoment,
  finished_at: wireMoment,
});
export type JobObject = z.output<typeof jobObject>;

const rejectedEvent = z.object({ object: z.literal('rejected_event'), id: z.string(), reason: z.string(), event: z.string(), rejected_at: wireMoment });
export type RejectedEventObject = z.output<typeof rejectedEvent>;

/** Operations received in a quarter of an hour, as gateways counted them and as the ledger has them; and whether the ledger's sums are those of its rows. */
const reconciliation = z.object({
  object: z.literal('reconciliation'),
  at: wireMoment,
  /** Of all that is compared: missing in the ledger, more there than was accepted, sums that differ from rows. 0 each where all is well. */
  missing: count,
  surplus: count,
  sums_differ: count,
  quarters: z.array(z.object({ at: wireMoment, accepted: count, unsure: count, recorded: count, on_the_way: count, missing: count, surplus: count })),
});
export type Reconciliation = z.output<typeof reconciliation>;

export const LEDGER = [
  operation({
    id: 'getInvoice', method: 'GET', path: 'invoices', summary: 'What a tenant used in a calendar month, by model and price', owner: 'usage-worker',
    query: z.strictObject({ tenant: tenantId, month: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'write a month, as 2026-11'), time_zone: z.string().max(64).default('UTC') }), reply: invoice, tenantScoped: true,
  }),
  operation({ id: 'findUserData', method: 'GET', path: 'users/data', summary: "What is kept of one end user's requests", owner: 'usage-worker', query: z.strictObject({ tenant: tenantId, user: userName }), reply: userData, tenantScoped: true }),
  operation({ id: 'eraseUserData', method: 'POST', path: 'users/erase', summary: "Erase an end user's captured bodies and name for good; figures stay", owner: 'usage-worker', role: 'owner', body: z.strictObject({ tenant: tenantId, user: userName }), reply: jobObject, status: 201, tenantScoped: true }),
  operation({
    id: 'repriceLedger', method: 'POST', path: 'ledger/reprice', summary: 'Compute the cost of recorded requests anew, at the prices in force for their time; the old figures are kept', owner: 'usage-worker', role: 'owner',
    body: z.strictObject({ from: moment, to: moment, tenant: tenantId.optional(), provider: z.string().min(1).max(63).optional(), model: modelName.optional(), only_unpriced: z.boolean().default(false), dry_run: z.boolean().default(false) }),
    reply: jobObject, status: 201,
  }),
  operation({ id: 'listJobs', method: 'GET', path: 'jobs', summary: 'Jobs, the latest first', owner: 'usage-worker', role: 'operator', query: z.strictObject(page), reply: listOf(jobObject) }),
  operation({ id: 'getJob', method: 'GET', path: 'jobs/{id}', summary: 'One job', owner: 'usage-worker', role: 'operator', reply: jobObject, tenantScoped: true }),
  operation({ id: 'listRejectedEvents', method: 'GET', path: 'ledger/rejected', summary: 'Usage events that nobody could read, the latest first', owner: 'usage-worker', role: 'operator', query: z.strictObject(page), reply: listOf(rejectedEvent) }),
  operation({
    id: 'replayRejectedEvents', method: 'POST', path: 'ledger/rejected/replay', summary: 'Try again to record events that were set aside; what is still not readable stays', owner: 'usage-worker',
    body: z.strictObject({ /** All where absent. */ ids: z.array(z.string().min(1).max(64)).min(1).max(1000).optional() }), reply: jobObject, status: 201,
  }),
  operation({ id: 'getReconciliation', method: 'GET', path: 'ledger/reconciliation', summary: 'Whether all that was accepted is in the ledger, as last compared', owner: 'usage-worker', role: 'operator', reply: reconciliation }),
] as const;
