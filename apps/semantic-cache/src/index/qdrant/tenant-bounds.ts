import { guarded, ofTenant } from './filters.ts';
import type { QdrantConnection } from './connection.ts';

export interface Bounds {
  maxEntriesPerTenant: number;
  maxBytesPerTenant: number;
}

const MAX_TENANTS = 100_000;
const PAGE = 1000;
/** So many points are read in one round to see what they weigh; the tenants take turns. */
const WEIGHED_PER_ROUND = 50_000;

/**
 * What is too much of one tenant goes, the oldest first. Eventual: between two rounds a tenant may be above its bounds by what was written meanwhile.
 * Qdrant counts, but adds nothing up, so bytes are found out by reading; a tenant's turn comes after those that waited longer. Any replica may do it, and
 * several at once take away the same.
 */
export class TenantBounds {
  private readonly connection: QdrantConnection;
  private readonly alias: string;
  /** Tenants in the order they were weighed, the longest ago first. */
  private readonly weighed = new Set<string>();

  constructor(connection: QdrantConnection, alias: string) {
    this.connection = connection;
    this.alias = alias;
  }

  /** One round; returns how many entries there are then. */
  async enforce({ maxEntriesPerTenant, maxBytesPerTenant }: Bounds): Promise<number> {
    const counts = await this.countByTenant();
    let total = 0;
    for (const [tenant, count] of counts) {
      const excess = count - maxEntriesPerTenant;
      if (excess > 0) counts.set(tenant, count - (await this.deleteOldest(tenant, excess)));
      total += counts.get(tenant) ?? 0;
    }
    if (maxBytesPerTenant !== Infinity) total -= await this.weighSome(counts, maxBytesPerTenant);
    return total;
  }

  private async countByTenant(): Promise<Map<string, number>> {
    const { hits } = await this.connection.write((client) => client.facet(this.alias, { key: 'tenant', limit: MAX_TENANTS, exact: true }));
    return new Map(hits.map(({ value, count }) => [String(value), count]));
  }

  private async deleteOldest(tenant: string, excess: number): Promise<number> {
    let deleted = 0;
    while (deleted < excess) {
      const oldest = await this.page(tenant, Math.min(PAGE, excess - deleted));
      if (oldest.length === 0) break;
      await this.delete(oldest.map(({ id }) => id));
      deleted += oldest.length;
    }
    return deleted;
  }

  /** Returns how many entries went. */
  private async weighSome(counts: ReadonlyMap<string, number>, maxBytes: number): Promise<number> {
    for (const tenant of this.weighed) if (!counts.has(tenant)) this.weighed.delete(tenant);
    const waiting = [...counts.keys()].filter((tenant) => !this.weighed.has(tenant));
    let budget = WEIGHED_PER_ROUND;
    let deleted = 0;
    for (const tenant of [...waiting, ...this.weighed]) {
      if (budget <= 0) break;
      budget -= counts.get(tenant) ?? 0;
      deleted += await this.weigh(tenant, maxBytes);
      this.weighed.delete(tenant);
      this.weighed.add(tenant);
    }
    return deleted;
  }

  private async weigh(tenant: string, maxBytes: number): Promise<number> {
    let excess = (await this.bytesOf(tenant)) - maxBytes;
    let deleted = 0;
    while (excess > 0) {
      const page = await this.page(tenant, PAGE);
      const going: (string | number)[] = [];
      for (const { id, bytes } of page) {
        if (excess <= 0) break;
        going.push(id);
        excess -= bytes;
      }
      if (going.length === 0) break;
      await this.delete(going);
      deleted += going.length;
    }
    return deleted;
  }

  private async bytesOf(tenant: string): Promise<number> {
    let total = 0;
    let offset: string | number | undefined;
    do {
      const from = offset;
      const page = await this.connection.write((client) =>
        client.scroll(this.alias, { filter: ofTenant(tenant), limit: PAGE, with_payload: ['bytes'], with_vector: false, ...(from === undefined ? {} : { offset: from }) }),
      );
      for (const { payload } of page.points) total += bytesIn(payload);
      const next = page.next_page_offset;
      offset = typeof next === 'string' || typeof next === 'number' ? next : undefined;
    } while (offset !== undefined);
    return total;
  }

  /** A tenant's oldest entries. */
  private async page(tenant: string, limit: number): Promise<{ id: string | number; bytes: number }[]> {
    const { points } = await this.connection.write((client) =>
      client.scroll(this.alias, { filter: ofTenant(tenant), limit, with_payload: ['bytes'], with_vector: false, order_by: { key: 'created_at', direction: 'asc' } }),
    );
    return points.map(({ id, payload }) => ({ id, bytes: bytesIn(payload) }));
  }

  private async delete(ids: (string | number)[]): Promise<void> {
    await this.connection.write((client) => client.delete(this.alias, { wait: true, filter: guarded({ must: [{ has_id: ids }] }) }));
  }
}

function bytesIn(payload: unknown): number {
  const bytes = (payload as { bytes?: unknown } | null | undefined)?.bytes;
  return typeof bytes === 'number' ? bytes : 0;
}
