// The promise that a cache must not break: an answer is found only where it may be served. Nothing here depends on how near vectors are: they are
// made equal, so that only the filters stand between one tenant's entries and another's question.
import fc from 'fast-check';
import type { SemanticPartition } from '@deja/contracts';
import type { IndexEntry } from '../src/index/entry.ts';
import { EmbeddedIndex } from '../src/index/embedded/embedded-index.ts';

const DIMENSIONS = 32;
const RUNS = 200;
const LOOKUPS_A_RUN = 50; // 10,000 in all
const NOW_MS = 1_795_440_000_000;

const equal = Float32Array.from({ length: DIMENSIONS }, (_, j) => j + 1);
const almostEqual = equal.with(0, 1.5);

// Few names, so that they meet; awkward ones, so that a sloppy key would join them.
const tenant = fc.constantFrom('acme', 'acme2', 'a:b', 'a', 'a","b', '', '__proto__');
const user = fc.constantFrom('1', '2', '1","f', 'b:1', '');
const scope = fc.oneof(fc.constantFrom('tenant', 'global', 'key:1', 'b:tenant'), user.map((id) => `user:${id}`));
const fingerprint = fc.oneof(fc.constantFrom('f', 'f","g', ']', 'constructor'), fc.constantFrom('f'.repeat(64), `${'f'.repeat(63)}e`));
const partition: fc.Arbitrary<SemanticPartition> = fc.record({ tenant, scope, fingerprint });
const vector = fc.constantFrom(equal, equal, almostEqual);
const entry = fc.record({ where: partition, vector, text: fc.constantFrom('a', 'b', 'c', ''), id: fc.nat(300), expiresAtMs: fc.constantFrom(NOW_MS, NOW_MS + 1, NOW_MS + 60_000), bytes: fc.nat(100) });
type Step = { add: typeof entry extends fc.Arbitrary<infer E> ? E : never } | { takeAway: { tenant: string; id: number } } | { invalidateTenant: string } | { sweep: true };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ add: entry }) },
  { weight: 2, arbitrary: fc.record({ takeAway: fc.record({ tenant, id: fc.nat(300) }) }) },
  { weight: 1, arbitrary: fc.record({ invalidateTenant: tenant }) },
  { weight: 1, arbitrary: fc.record({ sweep: fc.constant(true as const) }) },
);

/** What a look-up may find at most: what was added and neither taken away nor swept. By tenant and id. */
class Ledger {
  readonly index = new EmbeddedIndex({ dimensions: DIMENSIONS, maxEntriesPerTenant: 40, maxEntries: 120, maxBytesPerTenant: 2500, onEvicted: (one) => void this.live.delete(idIn(one)) });
  readonly live = new Map<string, IndexEntry>();

  take(one: Step): void {
    if ('add' in one) {
      const { where, text, id, expiresAtMs, bytes } = one.add;
      const added: IndexEntry = { ...where, entry: `e${id}`, text, expiresAtMs, bytes };
      this.live.forEach((other, key) => {
        if (!this.live.has(idIn(added)) && samePlace(other, added) && other.text === text) this.live.delete(key); // replaced
      });
      if (!this.live.has(idIn(added))) this.live.set(idIn(added), added); // before it is added: that may evict it
      this.index.add(added, one.add.vector);
    } else if ('takeAway' in one) {
      const id = `e${one.takeAway.id}`;
      this.index.delete(one.takeAway.tenant, id);
      this.live.delete(idIn({ tenant: one.takeAway.tenant, entry: id }));
    } else if ('invalidateTenant' in one) {
      this.index.invalidate({ id: 'i', tenant: one.invalidateTenant, model: null, tag: null, entry: null, beforeMs: NOW_MS, madeAtMs: NOW_MS });
      this.forget((other) => other.tenant === one.invalidateTenant);
    } else {
      this.index.sweep(NOW_MS);
      this.forget((other) => other.expiresAtMs <= NOW_MS);
    }
  }

  private forget(isMeant: (entry: IndexEntry) => boolean): void {
    this.live.forEach((other, key) => {
      if (isMeant(other)) this.live.delete(key);
    });
  }
}
const idIn = ({ tenant: name, entry: id }: Pick<IndexEntry, 'tenant' | 'entry'>): string => JSON.stringify([name, id]);
const samePlace = (a: SemanticPartition, b: SemanticPartition): boolean => a.tenant === b.tenant && a.scope === b.scope && a.fingerprint === b.fingerprint;

test('in 10,000 look-ups of random tenants, scopes, users and fingerprints, with equal vectors, exactly the own live entries are found', () => {
  let lookups = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), fc.array(fc.record({ where: partition, vector, nowMs: fc.constantFrom(NOW_MS - 1, NOW_MS, NOW_MS + 1) }), { minLength: LOOKUPS_A_RUN, maxLength: LOOKUPS_A_RUN }), (steps, questions) => {
      const ledger = new Ledger();
      for (const one of steps) ledger.take(one);
      expect(ledger.index.size).toBe(ledger.live.size);
      for (const { where, vector: asked, nowMs } of questions) {
        const found = ledger.index.search(where, { vector: asked, limit: 1000, floor: -1, nowMs });
        const own = [...ledger.live.values()].filter((one) => samePlace(one, where) && one.expiresAtMs > nowMs);
        expect(new Set(found.map((candidate) => candidate.entry))).toEqual(new Set(own));
        expect(found).toHaveLength(own.length);
        lookups++;
      }
    }),
    { numRuns: RUNS },
  );
  expect(lookups).toBeGreaterThanOrEqual(RUNS * LOOKUPS_A_RUN);
});

test("looking at a tenant's entries by likeness shows no other tenant's", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), tenant, (steps, asking) => {
      const ledger = new Ledger();
      for (const one of steps) ledger.take(one);
      const search = { vector: equal, limit: 1000, floor: -1, nowMs: NOW_MS };
      const own = [...ledger.live.values()].filter((one) => one.expiresAtMs > NOW_MS);
      expect(new Set(ledger.index.searchAll(asking, search).map((candidate) => candidate.entry))).toEqual(new Set(own.filter((one) => one.tenant === asking)));
      expect(new Set(ledger.index.searchAll(null, search).map((candidate) => candidate.entry))).toEqual(new Set(own));
    }),
  );
});
