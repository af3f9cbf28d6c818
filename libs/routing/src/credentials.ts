import { relieve, samplingKey } from './affinity.ts';
import { LAST, LazyOrder, ORDINARY, RETIRING, type Ranked } from './lazy-order.ts';
import { drawFor, type Search } from './search.ts';
import type { Pool, PoolCredential } from './snapshot-index.ts';
import { credentialDemotion, credentialUntilMs } from './standing.ts';
import type { CredentialView } from './view.ts';

/** Usable credentials of one deployment, at least one, in an order that is found as they are taken. */
export interface Purse {
  size: number;
  /** Null where the provider needs none. */
  take: () => PoolCredential | null;
}

/** The usable credentials of one deployment, apart from those on probation that a call is trying at the moment. Null: none. */
export interface OpenedPool {
  ready: Purse | null;
  behind: Purse | null;
}

const KEYLESS: OpenedPool = { ready: { size: 1, take: () => null }, behind: null };

/** Draws by weight; weight 0 after the others, retiring values last. */
export function openPool(search: Search, pool: Pool, isSticky: boolean): OpenedPool {
  if (pool.isKeyless) return KEYLESS;
  const ready: Ranked<PoolCredential>[] = [];
  const behind: Ranked<PoolCredential>[] = [];
  const view = search.at.view?.credentials;
  for (const credential of permitted(search, pool)) {
    const seen = view?.get(credential.key);
    if (credentialUntilMs(credential, seen) > search.at.nowMs) continue;
    (credentialDemotion(credential, seen) === null ? ready : behind).push(drawn(search, credential, seen, isSticky));
  }
  if (isSticky) relieve(ready);
  return { ready: purseOf(ready), behind: purseOf(behind) };
}

/** The credentials of a pool that this request may use, whatever their state. */
export function permitted({ need }: Search, { everyones, ofTenant }: Pool): readonly PoolCredential[] {
  const own = need.tenant === undefined || need.tenant === null ? undefined : ofTenant.get(need.tenant);
  const pinned = need.pin?.credential ?? null;
  if (pinned !== null) {
    // What the request names is where it was made, be it before the tenant had credentials of its own.
    const holders = [...(own ?? []), ...everyones].filter(({ ref }) => ref.id === pinned);
    if (holders.length > 0) return holders;
  }
  return own ?? everyones;
}

function drawn(search: Search, credential: PoolCredential, seen: CredentialView | undefined, isSticky: boolean): Ranked<PoolCredential> {
  const { weight, isRetiring } = credential;
  const rank = isRetiring ? RETIRING : weight > 0 ? ORDINARY : LAST;
  const key = samplingKey(drawFor(search, isSticky, credential.hash), weight);
  return { item: credential, rank, measure: key, key, weight: rank === ORDINARY ? weight : 0, inFlight: seen?.inFlight ?? 0 };
}

function purseOf(credentials: Ranked<PoolCredential>[]): Purse | null {
  const size = credentials.length;
  if (size === 0) return null;
  const order = new LazyOrder(credentials);
  return { size, take: () => order.take() ?? null };
}
