import { getTableColumns, type Table } from 'drizzle-orm';
import { storable } from './json.ts';

type Scalar = string | number | bigint | boolean | null | undefined;

/** Values as the text of a Postgres array. */
export function arrayLiteral(values: readonly Scalar[]): string {
  let text = '{';
  for (const value of values) text += text === '{' ? element(value) : `,${element(value)}`;
  return `${text}}`;
}

/**
 * Rows of a table on their way to Postgres as one array a column, which it reads in a third of the time that rows as JSON take. What it could not store
 * of a text or a JSON object is made storable.
 */
export class ColumnArrays<Row extends object> {
  /** The columns, for an insert. */
  readonly columns: string;
  /** `select ... from unnest(...)`, with the parameters $1, $2, ... */
  readonly select: string;
  private readonly read: readonly ((row: Row) => Scalar)[];

  constructor(table: Table, names: readonly (keyof Row & string)[]) {
    const types = getTableColumns(table);
    const columns = names.map((name) => ({ name, type: types[name]?.getSQLType() ?? 'text' }));
    this.columns = columns.map(({ name }) => `"${name}"`).join(', ');
    // An array of arrays would lose its rows: an array goes as text of its own.
    const arrays = columns.map(({ type }, i) => `$${i + 1}::${type.endsWith('[]') ? 'text' : type}[]`);
    this.select = `select ${columns.map(({ name, type }) => (type.endsWith('[]') ? `"${name}"::${type}` : `"${name}"`)).join(', ')} from unnest(${arrays.join(', ')}) r (${this.columns})`;
    this.read = columns.map(({ name, type }) => {
      if (type === 'jsonb') return (row) => jsonText(row[name] as object | null);
      if (type.endsWith('[]')) return (row) => arrayLiteral(row[name] as readonly Scalar[]);
      return (row) => row[name] as Scalar;
    });
  }

  values(rows: readonly Row[]): string[] {
    return this.read.map((read) => arrayLiteral(rows.map(read)));
  }
}

/** Has to be written otherwise, or may have to be made storable. */
const SPECIAL = /["\\\0\ud800-\udfff]/;

function element(value: Scalar): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value !== 'string') return String(value);
  return SPECIAL.test(value) ? `"${storable(value).replace(/["\\]/g, '\\$&')}"` : `"${value}"`;
}

/** Of a flat object. Its keys, too, may be the client's. */
function jsonText(value: object | null): string | null {
  if (value === null) return null;
  const json = JSON.stringify(value);
  // What Postgres does not store is written as an escape.
  if (!json.includes('\\u')) return json;
  return JSON.stringify(Object.fromEntries(Object.entries(value).map(([key, member]: [string, unknown]) => [storable(key), typeof member === 'string' ? storable(member) : member])));
}
