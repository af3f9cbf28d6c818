import type { Pool } from '@deja/postgres';

const KEYS = 256;
const ROWS = 2_000;

/** From one key to the next in the index: there are many captures of each. */
const KEYS_OF_WORDS = `
  with recursive k (data_key) as (
    (select data_key from usage.captures where search is not null and data_key > $1 order by data_key limit 1)
    union all
    select (select c.data_key from usage.captures c where c.search is not null and c.data_key > k.data_key order by c.data_key limit 1) from k where k.data_key is not null
  )
  select data_key from k where data_key is not null limit ${KEYS}`;
const FORGET = `
  update usage.captures set search = null
  where operation_id = any(array(select operation_id from usage.captures where data_key = any($1::text[]) and search is not null limit ${ROWS}))`;

/**
 * Bodies are unreadable once their tenant's data key is destroyed; the words of their prompts stand in Postgres in clear, so they have to follow. The
 * keys are looked at, not the tenants: a body that was still on its way then is found too, and what comes under a tenant's new key keeps its words.
 */
export class WordSweep {
  constructor(
    private readonly pool: Pool,
    /** Which of these data keys (at most 256) there are no more. */
    private readonly goneKeys: (dataKeys: string[]) => Promise<string[]>,
  ) {}

  /** Deletes all words of keys that are gone; returns of how many captures. May be called again and by several at once. Rejects with what Postgres or `goneKeys` says. */
  async sweep(): Promise<number> {
    let forgotten = 0;
    for (let after = ''; ; ) {
      const { rows } = await this.pool.query<{ data_key: string }>(KEYS_OF_WORDS, [after]);
      const keys = rows.map(({ data_key: key }) => key);
      if (keys.length === 0) return forgotten;
      const gone = await this.goneKeys(keys);
      if (gone.length > 0) forgotten += await this.forget(gone);
      after = keys.at(-1) ?? after;
    }
  }

  private async forget(dataKeys: string[]): Promise<number> {
    let forgotten = 0;
    for (;;) {
      const { rowCount } = await this.pool.query(FORGET, [dataKeys]);
      forgotten += rowCount ?? 0;
      if ((rowCount ?? 0) < ROWS) return forgotten;
    }
  }
}
