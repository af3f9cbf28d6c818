import type { Reader } from './reading-context.ts';

/** Age of the oldest event that waits on the usage queue, seconds. */
export const queueLag: Reader = async (_condition, { queueLagS, nowMs, once }) => {
  const lagS = await once('queue lag', () => queueLagS(nowMs));
  if (lagS === null) throw new Error('the usage queue cannot be asked while Redis is away');
  return [{ labels: {}, value: lagS }];
};

/** Operations that are missing from the ledger or too many in it, and sums that are not those of their rows. Nothing is known before a first reconciliation. */
export const ledgerDrift: Reader = async (_condition, { drift }) => {
  const found = drift();
  return [{ labels: {}, value: found === null ? null : Math.abs(found.missing) + Math.abs(found.surplus) + Math.abs(found.sumsDiffer) }];
};
