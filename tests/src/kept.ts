import type { TestCluster } from '@deja/testing';
import { postgresDump } from './secret-search.ts';

/** What changes by itself: how far a job is, and what the ledger's own accountant writes once a minute. */
const MOVING = new Set(['usage.jobs', 'usage.accepted', 'usage.reconciliation']);

/** All that a cluster keeps in Postgres, but for when tokens were used last and what moves by itself: equal as long as nobody changes anything. */
export async function keptBy(cluster: TestCluster): Promise<string> {
  let table = '';
  const rows = (await postgresDump(cluster)).split('\n').filter((line) => {
    if (/^(router|usage|public)\.\w+$/.test(line)) table = line;
    return !MOVING.has(table);
  });
  const jobs = await cluster.sql<{ id: string }>('select id from usage.jobs order by id');
  const used = await cluster.sql<{ at: string | null }>('select last_used_at::text as at from router.admin_tokens');
  return used.reduce((rest, { at }) => (at === null ? rest : rest.replaceAll(at, '')), [...rows, ...jobs.map(({ id }) => id)].join('\n'));
}
