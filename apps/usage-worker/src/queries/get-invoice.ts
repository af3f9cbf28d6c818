import type { Invoice, QueryOf } from '@deja/admin-api';
import { DejaError, usdText } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { knownUsd } from './known-usd.ts';
import { Values, type Asked, type TimeSpan } from './question.ts';
import { addedUp, type FiguresRead } from './sums/figures.ts';
import { summed } from './sums/summed.ts';
import { inZone, timeZone } from './zone.ts';

/** How long after a month what was received in it may still arrive. */
const ARRIVAL_MS = 86_400_000;

/** What a tenant used in a calendar month, by what it paid for it. The lines' cost is the exact sum of the requests'. */
export async function getInvoice(client: PoolClient, asked: Asked, query: QueryOf<'getInvoice'>): Promise<Invoice> {
  const zone = timeZone(query.time_zone);
  return inZone(async () => {
    const span = await monthOf(client, query.month, zone);
    if (span.fromMs < 0 || span.fromMs > asked.nowMs) throw new DejaError('invalid_value', `Invalid value for 'month': write a month that has begun, from 1970 on.`, { param: 'month' });
    const values = new Values();
    const facts = await summed(client, asked, { columns: ['model', 'provider', 'price_version'], filters: { tenant: query.tenant }, span, zone, latency: false }, values);
    const order = ['g1', 'g2', 'g3'].map((name) => `${name} is null, ${name} collate "C"`).join(', ');
    const { rows } = await client.query<FiguresRead>(`select array[g1, g2, g3]::text[] as groups, ${addedUp(false)} from (${facts}) facts group by g1, g2, g3 having sum(requests) <> 0 order by ${order}`, values.all);
    const total = (figure: 'requests' | 'unpriced_requests'): number => rows.reduce((sum, row) => sum + row[figure], 0);
    const totalUsd = (figure: 'cost' | 'saved'): string => usdText(rows.reduce((sum, row) => sum + BigInt(row[figure]), 0n));
    return {
      object: 'invoice',
      tenant: query.tenant,
      month: query.month,
      time_zone: zone,
      from: new Date(span.fromMs).toISOString(),
      to: new Date(span.toMs).toISOString(),
      final: asked.nowMs >= span.toMs + ARRIVAL_MS,
      lines: rows.map(line),
      requests: total('requests'),
      cost_usd: totalUsd('cost'),
      saved_usd: totalUsd('saved'),
      unpriced_requests: total('unpriced_requests'),
    };
  });
}

function line(row: FiguresRead): Invoice['lines'][number] {
  const [model = null, provider = null, price_version = null] = row.groups;
  return {
    model,
    provider,
    price_version,
    requests: row.requests,
    prompt_tokens: row.prompt_tokens,
    cached_tokens: row.cached_tokens,
    cache_write_tokens: row.cache_write_tokens,
    completion_tokens: row.completion_tokens,
    reasoning_tokens: row.reasoning_tokens,
    cost_usd: knownUsd(row),
    unpriced_requests: row.unpriced_requests,
  };
}

/** `2026-11` in a zone, as Postgres knows it. Year 0 is none that it knows. */
async function monthOf(client: PoolClient, month: string, zone: string): Promise<TimeSpan> {
  if (month < '1970') return { fromMs: -1, toMs: -1 };
  const { rows: [found] } = await client.query<{ from: string; to: string }>(
    `select extract(epoch from m at time zone $2) * 1000 as from, extract(epoch from (m + interval '1 month') at time zone $2) * 1000 as to from (select ($1 || '-01')::timestamp as m) months`,
    [month, zone],
  );
  return { fromMs: Number(found?.from), toMs: Number(found?.to) };
}
