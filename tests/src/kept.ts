import type { TestCluster } from '@deja/testing';
import { postgresDump } from './secret-search.ts';

/** What of the ledger only somebody's call changes; the rest is written as requests come to it, a while after they were answered. A job goes on by itself. */
const OF_CALLS = ['alert_states', 'alert_events', 'alert_deliveries', 'erasures', 'repriced', 'rejected_events'].map((table) => `select t::text as row from usage.${table} t`);
const LEDGER = [...OF_CALLS, 'select id::text from usage.jobs'].join(' union all ');

/** All that callers of the admin API have changed in Postgres, but for when tokens were used last: equal as long as nobody changes anything. */
export async function keptBy(cluster: TestCluster): Promise<string> {
  const rows = [await postgresDump(cluster, 'router'), ...(await cluster.sql<{ row: string }>(LEDGER)).map(({ row }) => row).toSorted()];
  const used = await cluster.sql<{ at: string | null }>('select last_used_at::text as at from router.admin_tokens');
  return used.reduce((rest, { at }) => (at === null ? rest : rest.replaceAll(at, '')), rows.join('\n'));
}
