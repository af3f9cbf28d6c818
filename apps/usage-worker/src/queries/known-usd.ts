import { usdText } from '@deja/contracts';

/** What is known of the cost of some requests, in US dollars; null where nothing is: that is not 0. Nano-USD as Postgres writes them. */
export const knownUsd = (row: { cost: string; requests: number; unpriced_requests: number }): string | null =>
  (row.unpriced_requests === row.requests && row.requests > 0 && BigInt(row.cost) === 0n ? null : usdText(BigInt(row.cost)));
