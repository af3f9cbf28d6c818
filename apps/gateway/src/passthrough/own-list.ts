import { DejaError, type ObjectAccount } from '@deja/contracts';
import type { Pin } from '../objects/pin.ts';

/** One page of a provider's list. */
export interface ListPage {
  data: { id: string; [field: string]: unknown }[];
  has_more?: boolean;
}

/** A list in OpenAI's shape. */
export interface OwnList extends ListPage {
  object: 'list';
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

export interface OwnListOptions {
  /** Accounts that hold objects of the tenant, in any order; one may be there under several deployments. */
  accounts: Pin[];
  /** Objects asked of a provider at once, if the client wants fewer: of a shared account most may be others'. */
  pageSize?: number;
  /** Where the last page ended. */
  after: (ObjectAccount & { id: string }) | null;
  query: Readonly<Record<string, string>>;
  page: (account: Pin, query: Record<string, string>) => Promise<ListPage>;
  /** Those of these ids that are the tenant's. */
  own: (ids: string[]) => Promise<ReadonlyMap<string, unknown>>;
}

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 10_000;
/** The most that every list of OpenAI's gives. */
const PAGE_SIZE = 100;
/** Pages of one account that are looked through for one page of the tenant's. */
const MAX_PAGES = 50;

/**
 * One page of what is the tenant's own among everything its accounts hold. An account is walked in the provider's order,
 * then the next one; `after` goes on where an object of the tenant's stood. Throws `invalid_value` for a limit that is none,
 * and `overloaded` when an account has to be searched for too long.
 */
export async function listOwn({ accounts: given, after, query, page, own, pageSize = PAGE_SIZE }: OwnListOptions): Promise<OwnList> {
  const limit = limitOf(query['limit']);
  const asked = String(Math.max(limit, pageSize));
  const accounts = eachOnce(given);
  const start = after === null ? 0 : accounts.findIndex(({ provider, credential }) => provider === after.provider && credential === after.credential);
  const data: ListPage['data'] = [];
  let more = false;
  for (const account of accounts.slice(Math.max(0, start))) {
    let cursor = data.length === 0 && after !== null && account.provider === after.provider && account.credential === after.credential ? after.id : undefined;
    for (let pages = 0; ; pages++) {
      if (pages === MAX_PAGES) throw new DejaError('overloaded', 'The provider account holds too many objects to find these in time.', { retryAfterMs: 1000 });
      const found: ListPage = await page(account, { ...query, limit: asked, ...(cursor !== undefined && { after: cursor }) });
      const listed = Array.isArray(found.data) ? found.data.filter((item) => typeof item?.id === 'string') : [];
      const owned = await own(listed.map(({ id }) => id));
      data.push(...listed.filter(({ id }) => owned.has(id)));
      cursor = listed.at(-1)?.id;
      more = found.has_more === true && cursor !== undefined;
      if (data.length >= limit || !more) break;
    }
    if (data.length >= limit) {
      more ||= data.length > limit || account !== accounts.at(-1);
      break;
    }
  }
  const shown = data.slice(0, limit);
  return { object: 'list', data: shown, first_id: shown[0]?.id ?? null, last_id: shown.at(-1)?.id ?? null, has_more: more };
}

/** The same order on every page: what changes it between two of them would hide objects or show them twice. */
function eachOnce(accounts: Pin[]): Pin[] {
  const byName = new Map(accounts.map((account) => [JSON.stringify([account.provider, account.credential]), account]));
  return [...byName.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, account]) => account);
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw new DejaError('invalid_value', `Invalid value for 'limit': expected a whole number from 1 to ${MAX_LIMIT}.`, { param: 'limit' });
  return limit;
}
