/** Without what Postgres cannot store in text or jsonb: NUL, and halves of surrogate pairs. */
export const storable = (text: string): string => (text.isWellFormed() && !text.includes('\0') ? text : text.toWellFormed().replaceAll('\0', '\u{fffd}'));

/** Rows as JSON for json_populate_recordset. A bigint goes as text, which the column's type reads exactly. */
export function rowsJson(rows: readonly object[]): string {
  return JSON.stringify(rows, (name, value: unknown) => {
    if (typeof value === 'string') return storable(value);
    if (typeof value === 'bigint') return value.toString();
    // The one column whose keys are the client's too.
    if (name === 'tags') return Object.fromEntries(Object.entries(value as Record<string, string>).map(([key, tag]) => [storable(key), tag]));
    return value;
  });
}
