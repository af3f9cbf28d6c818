import type { BodyOf, JobObject } from '@deja/admin-api';
import { DejaError, newId, usdText, type ProviderKind, type RoutingSnapshot, type Settings } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import type { JobKind, JobStep } from '../jobs/job-kind.ts';
import type { JobStore } from '../jobs/job-store.ts';
import { addSpending, type Spending } from '../ledger/spend.ts';
import { addToRollups, type RollupChange } from '../rollups/rollup-writer.ts';
import { knownCost, moneyAt, type Cost, type Money, type PriceBook } from './new-prices.ts';
import { changeRows, nextOperations, type LedgerOperation, type Repriced } from './priced-rows.ts';

type Request = BodyOf<'repriceLedger'>;

/** Operations in one step: writers wait for those of them that they want to change. */
const REQUESTS = 500;
/** Where nothing is changed, nobody waits. */
const REQUESTS_READ = 5_000;
/** Until a router has said which prices there are. */
const NO_PRICES_PAUSE_MS = 5_000;

const amount = z.string().regex(/^-?\d+$/);
/** Sums are nano-USD as text. */
const PROGRESS = z.object({
  /** Whose figures are kept in usage.repriced. */
  job: z.uuid(),
  /** The last operation that was looked at. */
  after: z.uuid().nullable(),
  requests: z.int(),
  changed: z.int(),
  unknown: z.int(),
  before: amount,
  afterwards: amount,
  savedBefore: amount,
  savedAfterwards: amount,
  /** As they were when the job began: its steps have one price. */
  overrides: z.record(z.string(), z.unknown()),
  kinds: z.record(z.string(), z.string()),
});
type Progress = z.output<typeof PROGRESS>;

/** Makes the job that prices anew; the same for a repetition of the call. Throws a 400 that names the field. */
export async function repriceLedger(jobs: JobStore, call: { changeId: string; by: { name: string }; body: Request }): Promise<JobObject> {
  const { changeId, by, body } = call;
  if (Date.parse(body.from) >= Date.parse(body.to)) throw new DejaError('invalid_value', "Invalid value for 'to': it must be later than 'from'.", { param: 'to' });
  return await jobs.create({ id: changeId, kind: 'reprice', request: body, by: by.name });
}

/**
 * Computes the costs of recorded operations anew, at the prices in force when each was received: in their rows and their calls', what hits saved, and
 * all sums, together. What they said before is kept in usage.repriced. Doing it again changes nothing more. With `dry_run` it only adds up.
 * `snapshot` is the newest that routers have published at the moment of asking; null: none yet.
 */
export function reprice(snapshot: () => Promise<RoutingSnapshot | null>): JobKind<Request> & { step(client: PoolClient, request: Request, progress: unknown, job?: string): Promise<JobStep> } {
  return {
    kind: 'reprice',
    async step(client: PoolClient, request: Request, given: unknown, job: string = newId()): Promise<JobStep> {
      const progress = given === null ? begun(job, await snapshot()) : PROGRESS.parse(given);
      if (progress === null) return { progress: null, result: {}, done: false, pauseMs: NO_PRICES_PAUSE_MS };
      const limit = request.dry_run ? REQUESTS_READ : REQUESTS;
      const operations = await nextOperations(client, request, progress.after, limit, { lock: !request.dry_run });
      const next = await stepOf(client, request, progress, operations);
      return { progress: next, result: resultOf(next), done: operations.length < limit };
    },
  };
}

function begun(job: string, snapshot: RoutingSnapshot | null): Progress | null {
  if (snapshot === null) return null;
  const kinds = Object.fromEntries(snapshot.deployments.map(({ provider, kind }) => [provider, kind]));
  return { job, after: null, requests: 0, changed: 0, unknown: 0, before: '0', afterwards: '0', savedBefore: '0', savedAfterwards: '0', overrides: snapshot.settings.prices, kinds };
}

async function stepOf(client: PoolClient, request: Request, progress: Progress, operations: readonly LedgerOperation[]): Promise<Progress> {
  const book: PriceBook = { overrides: progress.overrides as Settings['prices'], kinds: progress.kinds as Record<string, ProviderKind> };
  const priced = operations.map((operation) => ({ operation, money: moneyAt(operation, book) }));
  const changed = priced.filter(({ operation, money }) => differs(operation, money.operation) || money.attempts.some((cost, i) => differs(operation.attempts[i], cost)));
  if (!request.dry_run && changed.length > 0) await change(client, progress.job, changed);
  const added = (to: string, of: (one: (typeof priced)[number]) => bigint | null): string => priced.reduce((total, one) => total + (of(one) ?? 0n), BigInt(to)).toString();
  return {
    ...progress,
    after: operations.at(-1)?.id ?? progress.after,
    requests: progress.requests + priced.length,
    changed: progress.changed + changed.length,
    unknown: progress.unknown + priced.filter(({ money }) => money.operation.cost_nano_usd === null).length,
    before: added(progress.before, ({ operation }) => operation.cost_nano_usd),
    afterwards: added(progress.afterwards, ({ money }) => money.operation.cost_nano_usd),
    savedBefore: added(progress.savedBefore, ({ operation }) => operation.saved_nano_usd),
    savedAfterwards: added(progress.savedAfterwards, ({ money }) => money.operation.saved_nano_usd),
  };
}

interface Changed {
  operation: LedgerOperation;
  money: { operation: Money; attempts: Cost[] };
}

/** In the order in which those who record come to these tables. */
async function change(client: PoolClient, job: string, changed: readonly Changed[]): Promise<void> {
  await changeRows(client, job, changed.flatMap(repricedRows));
  const ofOperations = changed.filter(({ operation, money }) => differs(operation, money.operation));
  await addToRollups(client, ofOperations.flatMap(({ operation, money }): RollupChange[] => [{ operation, sign: -1 }, { operation: { ...operation, ...money.operation }, sign: 1 }]));
  await addSpending(client, changed.map(spendingOf));
}

function repricedRows({ operation, money }: Changed): Repriced[] {
  const rows: Repriced[] = operation.attempts.flatMap((attempt, i) => {
    const after = money.attempts[i];
    return after === undefined || !differs(attempt, after) ? [] : [{ operation_id: operation.id, attempt_id: attempt.id, before: attempt, after }];
  });
  return differs(operation, money.operation) ? [...rows, { operation_id: operation.id, attempt_id: null, before: operation, after: money.operation }] : rows;
}

function spendingOf({ operation, money }: Changed): Spending {
  const { tenant, key, user, requested_model: requestedModel, received_at: receivedAt, attempts } = operation;
  return { tenant, key, user, requestedModel, receivedAtMs: Date.parse(receivedAt), nanoUsd: knownCost(attempts, money.attempts) - knownCost(attempts, attempts) };
}

const differs = (before: (Cost & Partial<Money>) | undefined, after: Cost & Partial<Money>): boolean =>
  before !== undefined && (before.cost_nano_usd !== after.cost_nano_usd || before.price_version !== after.price_version || (after.saved_nano_usd !== undefined && before.saved_nano_usd !== after.saved_nano_usd));

const resultOf = ({ requests, changed, unknown, before, afterwards, savedBefore, savedAfterwards }: Progress): Record<string, unknown> => ({
  requests,
  changed,
  unknown,
  before_usd: usdText(BigInt(before)),
  after_usd: usdText(BigInt(afterwards)),
  saved_before_usd: usdText(BigInt(savedBefore)),
  saved_after_usd: usdText(BigInt(savedAfterwards)),
});
