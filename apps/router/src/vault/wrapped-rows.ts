import { sql, type SQL } from 'drizzle-orm';
import type { WrappedKey } from './wrapped-key.ts';

/** A row that holds a wrapped data key. */
export interface WrappedRow extends WrappedKey {
  table: WrappedTable['name'];
  /** Of the row within its table. */
  id: string;
  /** For people: `provider/name`, `intake_key`, `data_key/<tenant>/<id>`, `alert/<name>`. */
  name: string;
}

/** A table whose rows hold a wrapped data key each, as `key_id` and `wrapped_key`; in SQL a row is `w`. */
export interface WrappedTable {
  name: 'intake_key' | 'credential_values' | 'data_keys' | 'alert_rules';
  /** Besides the table itself. */
  join?: SQL;
  id: SQL;
  /** What people call a row. */
  called: SQL;
  order: SQL;
  isRow: (id: string) => SQL;
  isAfter: (id: string) => SQL;
  /** What routers hold in memory is to be read again. */
  isHeld?: true;
}

const byId = { id: sql`w.id::text`, order: sql`w.id`, isRow: (id: string) => sql`w.id = ${id}::uuid`, isAfter: (id: string) => sql`w.id > ${id}::uuid` };

/** All of them, in the order in which they are rewrapped. */
export const WRAPPED_TABLES: readonly WrappedTable[] = [
  { name: 'intake_key', id: sql`'1'`, called: sql`'intake_key'`, order: sql`w.id`, isRow: () => sql`true`, isAfter: () => sql`false` },
  {
    name: 'credential_values',
    join: sql`join router.credentials c on c.id = w.credential`,
    id: sql`w.credential || ' ' || w.version`,
    called: sql`c.provider || '/' || c.name`,
    order: sql`w.credential, w.version`,
    isRow: (id) => sql`(w.credential, w.version) = ${versionOf(id)}`,
    isAfter: (id) => sql`(w.credential, w.version) > ${versionOf(id)}`,
    isHeld: true,
  },
  { name: 'data_keys', ...byId, called: sql`'data_key/' || w.tenant || '/' || w.id` },
  { name: 'alert_rules', ...byId, called: sql`'alert/' || w.name` },
];

function versionOf(id: string): SQL {
  const [credential = '', version = ''] = id.split(' ');
  return sql`(${credential}::uuid, ${version}::text)`;
}
