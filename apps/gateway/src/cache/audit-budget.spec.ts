import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AuditBudget } from './audit-budget.ts';

const HOUR_MS = 3_600_000;

test('no tenant has more audits in an hour than it may, whatever the others have, and each may have all of its own', () => {
  fc.assert(
    fc.property(fc.nat(5), fc.array(fc.record({ tenant: fc.constantFrom('a', 'b'), afterMs: fc.nat(HOUR_MS) }), { maxLength: 60 }), (most, asks) => {
      const budget = new AuditBudget();
      const taken = new Map<string, number>();
      const asked = new Map<string, number>();
      let nowMs = 0;
      for (const { tenant, afterMs } of asks) {
        nowMs += afterMs;
        const hour = `${tenant} ${Math.floor(nowMs / HOUR_MS)}`;
        asked.set(hour, (asked.get(hour) ?? 0) + 1);
        if (budget.take(tenant, most, nowMs)) taken.set(hour, (taken.get(hour) ?? 0) + 1);
      }
      for (const [hour, count] of asked) expect(taken.get(hour) ?? 0).toBe(Math.min(count, most));
    }),
  );
});
