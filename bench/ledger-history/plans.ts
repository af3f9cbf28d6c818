import type { Pool } from '@deja/postgres';
import { DAY_MS } from './generate.ts';
import type { Statement } from './watched-reader.ts';

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
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

/** How Postgres reads a statement's tables. The statement runs. */
export async function accessesOf(pool: Pool, { text, values }: Statement): Promise<Access[]> {
  const { rows: [row] } = await pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`explain (analyze, timing off, format json) ${text}`, values);
  const accesses = new Map<string, Access>();
  const visit = (node: PlanNode, index: string | null): void => {
    const table = node['Relation Name'];
    if (table !== undefined && node['Actual Loops'] > 0) {
      const parent = table.replace(/_\d+$/, '');
      const how = `${node['Node Type']} on ${parent}${node['Index Name'] === undefined && index === null ? '' : ` by ${indexName(node['Index Name'] ?? index ?? '')}`}`;
      const access = accesses.get(how) ?? { how, partitions: new Set(), rows: 0 };
      access.partitions.add(table);
      access.rows += (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
      accesses.set(how, access);
    }
    for (const child of node.Plans ?? []) visit(child, null);
  };
  const withIndex = (node: PlanNode): void => {
    // Of a bitmap scan the index stands below it.
    if (node['Node Type'] === 'Bitmap Heap Scan') node['Index Name'] = indexesBelow(node).join(' + ');
    for (const child of node.Plans ?? []) withIndex(child);
  };
  if (row === undefined) return [];
  withIndex(row['QUERY PLAN'][0].Plan);
  visit(row['QUERY PLAN'][0].Plan, null);
  return [...accesses.values()];
}

const indexesBelow = (node: PlanNode): string[] => [...new Set((node.Plans ?? []).flatMap((child) => [...(child['Node Type'] === 'Bitmap Index Scan' && child['Index Name'] !== undefined ? [child['Index Name']] : []), ...indexesBelow(child)]))];
const indexName = (name: string): string => [...new Set(name.split(' + ').map((one) => one.replace(/_\d{6,8}/, '')))].join(' + ');

/** Whether a table of history is read from end to end, other than such a day of rows as lies wholly in what was asked for. */
export function isHistoryScan({ how, partitions }: Access, { fromMs, toMs }: { fromMs: number; toMs: number }): boolean {
  if (!how.startsWith('Seq Scan on ')) return false;
  return [...partitions].some((name) => {
    const [, table = '', day] = /^(\w+?)(?:_(\d{6,8}))?$/.exec(name) ?? [];
    if (table.startsWith('rollup_')) return true;
    if (table !== 'operations' && table !== 'attempts') return false;
    const dayMs = day === undefined ? 0 : Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6, 8)}`);
    return dayMs + DAY_MS <= fromMs || dayMs >= toMs;
  });
}
