import type { RewrapReport } from '@deja/contracts';
import type { MasterKeysRepository } from './master-keys.repository.ts';
import type { MasterKeys } from './master-keys.ts';
import { KeyWrappingError } from './wrapped-key.ts';
import type { WrappedRow } from './wrapped-rows.ts';

const PART = 50;

/**
 * Moves up to `limit` data keys under the current master key. Each is moved by itself, so that it may be stopped anywhere and be called
 * again; what is replaced at the same moment needs no move. What does not open stays as it is and is reported. Throws a KeyWrappingError
 * when who keeps a key cannot be asked: what was moved stays moved.
 */
export async function rewrap(keys: MasterKeys, repository: MasterKeysRepository, limit: number): Promise<RewrapReport> {
  const currentKey = await keys.currentId();
  const failed: RewrapReport['failed'] = [];
  let rewrapped = 0;
  let after: WrappedRow | null = null;
  while (rewrapped < limit) {
    const rows: WrappedRow[] = await repository.notUnder(currentKey, Math.min(PART, limit - rewrapped), after);
    if (rows.length === 0) break;
    for (const row of rows) {
      const problem = await move(row, keys, repository);
      if (problem === null) rewrapped += 1;
      else if (problem !== 'gone') failed.push({ id: row.name, reason: problem.reason });
    }
    after = rows.at(-1) ?? null;
  }
  return { currentKey, rewrapped, remaining: Math.max(0, (await repository.countNotUnder(currentKey)) - failed.length), failed };
}

async function move(row: WrappedRow, keys: MasterKeys, repository: MasterKeysRepository): Promise<KeyWrappingError | 'gone' | null> {
  let dataKey: Buffer;
  try {
    dataKey = await keys.unwrap(row);
  } catch (error) {
    if (error instanceof KeyWrappingError && error.problem !== 'unreachable') return error;
    throw error;
  }
  try {
    return (await repository.replaceWrapping(row, await keys.wrap(dataKey))) ? null : 'gone';
  } finally {
    dataKey.fill(0);
  }
}
