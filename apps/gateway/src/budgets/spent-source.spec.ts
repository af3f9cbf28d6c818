import { describe, expect, test } from '@jest/globals';
import { MOST_ACCOUNTS, type BudgetAccount, type UsageRpc } from '@deja/contracts';
import { SpentSource } from './spent-source.ts';

const account = (key: string): BudgetAccount => ({ key, tenant: 't', clientKey: null, user: null, model: null, fromMs: 0, toMs: null });

/** A usage-worker that answers when it is told to. */
function ledger() {
  const asked: string[][] = [];
  const open: { keys: string[]; resolve: (reply: UsageRpc['spent']['reply']) => void; reject: (error: Error) => void }[] = [];
  const clock = { ms: 0 };
  const lines: string[] = [];
  const source = new SpentSource(
    ({ accounts }) => {
      const { promise, resolve, reject } = Promise.withResolvers<UsageRpc['spent']['reply']>();
      const keys = accounts.map(({ key }) => key);
      asked.push(keys);
      open.push({ keys, resolve, reject });
      return promise;
    },
    { warn: () => lines.push('warn'), info: () => lines.push('info') },
    () => clock.ms,
  );
  return {
    source,
    asked,
    answer: (spent = (key: string): string => `1${key}`): void => open.splice(0).forEach(({ keys, resolve }) => resolve({ spentNanoUsd: keys.map(spent) })),
    fail: (): void => open.splice(0).forEach(({ reject }) => reject(new Error('no reply'))),
    clock,
    lines,
  };
}

describe('what the ledger says was spent', () => {
  test('comes in the order asked, also where an account is asked for twice', async () => {
    const { source, asked, answer } = ledger();
    const spent = source.spent([account('2'), account('1'), account('2')], 1000);
    answer();
    expect([await spent, asked]).toEqual([['12', '11', '12'], [['2', '1']]]);
  });

  test('is asked for once, whoever waits for it, and anew when it has come', async () => {
    const { source, asked, answer } = ledger();
    const waiting = [source.spent([account('1')], 1000), source.spent([account('1'), account('2')], 1000), source.spent([account('2')], 1000)];
    answer();
    expect(await Promise.all(waiting)).toEqual([['11'], ['11', '12'], ['12']]);
    expect(asked).toEqual([['1'], ['2']]);
    const again = source.spent([account('1')], 1000);
    answer(() => '5');
    expect(await again).toEqual(['5']);
  });

  test('is asked for in questions that are no larger than the ledger takes', async () => {
    const { source, asked, answer } = ledger();
    const spent = source.spent(Array.from({ length: 2 * MOST_ACCOUNTS + 1 }, (_, n) => account(String(n))), 1000);
    answer();
    expect(await spent).toHaveLength(2 * MOST_ACCOUNTS + 1);
    expect(asked.map((keys) => keys.length)).toEqual([MOST_ACCOUNTS, MOST_ACCOUNTS, 1]);
  });

  test('where nobody answers, those who come right after are not made to wait, and later ones ask again', async () => {
    const { source, asked, answer, fail, clock } = ledger();
    const first = source.spent([account('1')], 1000);
    fail();
    await expect(first).rejects.toThrow('no reply');
    clock.ms = 999;
    await expect(source.spent([account('1')], 1000)).rejects.toThrow('a moment ago');
    expect(asked).toHaveLength(1);
    clock.ms = 1000;
    const later = source.spent([account('1')], 1000);
    answer();
    expect(await later).toEqual(['11']);
  });

  test('an outage is told once, and once that it is over', async () => {
    const { source, answer, fail, clock, lines } = ledger();
    for (const end of [fail, fail, answer, answer]) {
      const spent = source.spent([account('1')], 1000).catch(() => null);
      end();
      await spent;
      clock.ms += 1000;
    }
    expect(lines).toEqual(['warn', 'info']);
  });

  test('nobody waits longer than they said, also for an answer that others wait for', async () => {
    const { source, answer } = ledger();
    const patient = source.spent([account('1')], 60_000);
    await expect(source.spent([account('1')], 1)).rejects.toThrow('within 1 ms');
    answer();
    expect(await patient).toEqual(['11']);
  });

  test('an answer for other accounts than were asked for is none', async () => {
    const source = new SpentSource(() => Promise.resolve({ spentNanoUsd: ['1'] }), { warn: () => undefined, info: () => undefined });
    await expect(source.spent([account('1'), account('2')], 1000)).rejects.toThrow('other accounts');
  });
});
