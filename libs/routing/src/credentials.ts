import { relieve, samplingKey } from './affinity.ts';
import { LAST, LazyOrder, ORDINARY, RETIRING, type Ranked } from './lazy-order.ts';
import { credentialViewOf, drawFor, type Search } from './search.ts';
import type { Pool, PoolCredential } from './snapshot-index.ts';
import { credentialDemotion, isCredentialOut, isLastResortCredential } from './standing.ts';

/**
 * The usable credentials of one deployment, drawn by weight; weight 0 after the others, retiring values last. They are looked at only
 * as far as someone asks for them: of most deployments in a plan, one is enough.
 */
export class Purse {
  private readonly search: Search;
  private readonly order: LazyOrder<PoolCredential>;
  private readonly found: (PoolCredential | null)[] = [];
  private readonly inDoubt: PoolCredential[] = [];
  private readonly lastResorts: PoolCredential[] = [];
  private taken = 0;

  constructor(search: Search, pool: Pool, isSticky: boolean) {
    this.search = search;
    const drawn = pool.isKeyless ? [] : permitted(search, pool).map((credential) => place(search, credential, isSticky));
    if (isSticky) relieve(drawn);
    this.order = new LazyOrder(drawn);
    if (pool.isKeyless) this.found.push(null);
  }

  /** How many there are, counted no further than this. */
  count(most: number): number {
    while (this.found.length < most) {
      const next = this.order.take();
      if (next === undefined) break;
      const view = credentialViewOf(this.search, next);
      if (!isCredentialOut(this.search, next, view)) (credentialDemotion(this.search, next, view) === null ? this.found : this.inDoubt).push(next);
      else if (isLastResortCredential(this.search, next, view)) this.lastResorts.push(next);
    }
    return Math.min(this.found.length, most);
  }

  /** The next one; null where the provider needs none. */
  take(): PoolCredential | null {
    this.count(this.taken + 1);
    return this.found[this.taken++] ?? null;
  }

  /** Those that failed here, and those on probation that a call is trying at the moment: not among the others. */
  doubtful(): readonly PoolCredential[] {
    this.count(Number.POSITIVE_INFINITY);
    return this.inDoubt;
  }

  /** Those that failures alone keep out: not among the others either. */
  failing(): readonly PoolCredential[] {
    this.count(Number.POSITIVE_INFINITY);
    return this.lastResorts;
  }

  /** Every one that might serve, for a deployment that is itself a last resort. To be asked for in place of all else. */
  all(): readonly (PoolCredential | null)[] {
    this.count(Number.POSITIVE_INFINITY);
    return [...this.found, ...this.inDoubt, ...this.lastResorts];
  }
}

/** Whether a deployment has a credential that is in, or needs none. */
export function hasCredentialIn(search: Search, pool: Pool): boolean {
  return pool.isKeyless || permitted(search, pool).some((credential) => !isCredentialOut(search, credential, credentialViewOf(search, credential)));
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

function place(search: Search, credential: PoolCredential, isSticky: boolean): Ranked<PoolCredential> {
  const { weight, isRetiring } = credential;
  const rank = isRetiring ? RETIRING : weight > 0 ? ORDINARY : LAST;
  const key = samplingKey(drawFor(search, isSticky, credential.hash), weight);
  const inFlight = isSticky ? (credentialViewOf(search, credential)?.inFlight ?? 0) : 0;
  return { item: credential, rank, measure: key, key, weight: rank === ORDINARY ? weight : 0, inFlight };
}
