import { inTransaction, type Pool } from '@deja/postgres';
import { DAY_MS } from './generate.ts';
import type { Statement } from './watched-reader.ts';

export interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Plan Rows': number;
  'Actual Rows': number;
  'Actual Total Time': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

/** How a table, or all partitions of one that are read alike, was read. */
export interface Access {
  how: string;
  partitions: Set<string>;
  rows: number;
}

/** How Postgres answers each of these, with the settings that are among them. The statements run. */
export async function plansOf(pool: Pool, statements: readonly Statement[]): Promise<PlanNode[]> {
  return inTransaction(pool, async (client) => {
    await client.query('set local jit = off'); // as LedgerReader
    const plans: PlanNode[] = [];
    for (const { text, values } of statements) {
      if (text.startsWith('set local')) await client.query(text);
      else plans.push(...(await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`explain (analyze, format json) ${text}`, values)).rows.map((row) => row['QUERY PLAN'][0].Plan));
    }
    return plans;
  });
}

/** How a plan reads its tables. */
export function accessesOf(plan: PlanNode): Access[] {
  const accesses = new Map<string, Access>();
  const visit = (node: PlanNode): void => {
    const table = node['Relation Name'];
    if (table !== undefined && node['Actual Loops'] > 0) {
      const indexes = node['Node Type'] === 'Bitmap Heap Scan' ? indexesBelow(node) : [node['Index Name'] ?? ''];
      const by = [...new Set(indexes.map((name) => name.replace(/_\d{6,8}/, '')))].join(' + ');
      const how = `${node['Node Type']} on ${table.replace(/_\d+$/, '')}${by === '' ? '' : ` by ${by}`}`;
      const access = accesses.get(how) ?? { how, partitions: new Set(), rows: 0 };
      access.partitions.add(table);
      access.rows += (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
      accesses.set(how, access);
    }
    for (const child of node.Plans ?? []) visit(child);
  };
  visit(plan);
  return [...accesses.values()];
}

/** A plan as a text to read: what ran, in the order of EXPLAIN. */
export function outline(node: PlanNode, depth = 0): string {
  if (node['Actual Loops'] === 0) return `${'  '.repeat(depth)}${node['Node Type']} (never executed)`;
  const on = node['Relation Name'] === undefined ? '' : ` on ${node['Relation Name']}`;
  const by = node['Index Name'] === undefined ? '' : ` by ${node['Index Name']}`;
  const line = `${'  '.repeat(depth)}${node['Node Type']}${on}${by}: ${node['Actual Rows']} rows of ${node['Plan Rows']} expected, ${node['Actual Loops']} times, ${(node['Actual Total Time'] * node['Actual Loops']).toFixed(1)} ms`;
  return [line, ...(node.Plans ?? []).map((child) => outline(child, depth + 1))].join('\n');
}

/** Of a bitmap scan the indexes stand below it. */
function indexesBelow(node: PlanNode): string[] {
  return (node.Plans ?? []).flatMap((child) => [...(child['Index Name'] === undefined ? [] : [child['Index Name']]), ...indexesBelow(child)]);
}

/** Whether a table of history is read from end to end: all days' sums, or a partition none of which was asked for. */
export function isHistoryScan({ how, partitions }: Access, { fromMs, toMs }: { fromMs: number; toMs: number }): boolean {
  if (!/^(Parallel )?Seq Scan on (operations|attempts|rollup_)/.test(how)) return false;
  return [...partitions].some((name) => {
    const [, year = '', month = '', day = ''] = /_(\d{4})(\d{2})(\d{2})?$/.exec(name) ?? [];
    if (year === '') return true;
    const firstMs = Date.parse(`${year}-${month}-${day === '' ? '01' : day}`);
    return firstMs + (day === '' ? 31 : 1) * DAY_MS <= fromMs || firstMs >= toMs;
  });
}
