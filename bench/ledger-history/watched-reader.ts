import type { Pool, PoolClient } from '@deja/postgres';
import { LedgerReader } from '../../apps/usage-worker/src/queries/ledger-reader.ts';

export interface Statement {
  text: string;
  values: unknown[];
}

/** The reader that questions are answered by, which remembers what they asked Postgres. */
export class WatchedReader extends LedgerReader {
  readonly statements: Statement[] = [];

  constructor(pool: Pool, longestMs: number) {
    super(pool, longestMs);
  }

  override read<T>(work: (client: PoolClient) => Promise<T>, deadlineMs: number | null = null): Promise<T> {
    return super.read((client) => work(this.watched(client)), deadlineMs);
  }

  private watched(client: PoolClient): PoolClient {
    return new Proxy(client, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...given: unknown[]): unknown => {
          if (name === 'query' && typeof given[0] === 'string') this.statements.push({ text: given[0], values: (given[1] as unknown[] | undefined) ?? [] });
          return Reflect.apply(member, target, given) as unknown;
        };
      },
    });
  }
}
