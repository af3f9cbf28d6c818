import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisProcess } from '@deja/testing';
import { budget, ceiling, DAY_MS, LEASE_MS, LimitStage, unique } from '../../test/limit-stage.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const stage = (): LimitStage => new LimitStage(server);

/** One request of 100 tokens in that second. */
function entryOf(second: number): Buffer {
  const entry = Buffer.alloc(16);
  entry.writeUInt32BE(second, 0);
  entry.writeUInt32BE(1, 4);
  entry.writeDoubleBE(100, 8);
  return entry;
}

/** One with so many entries in its list, the oldest of them of that second. */
function headOf(number: number, requests: number, tokens: number, last: number, oldest: number): Buffer {
  const head = Buffer.alloc(52);
  [0, number, requests, tokens].forEach((value, i) => head.writeDoubleBE(value, 8 * i));
  entryOf(last).copy(head, 32);
  head.writeUInt32BE(oldest, 48);
  return head;
}

describe('what stands in Redis', () => {
  test('what somebody else wrote in place of a window, a counter, leases or an account is begun anew', async () => {
    const at = stage();
    const { client } = server;
    const tenant = unique('t');
    const [limit, money] = [ceiling({ requests_per_minute: 5, tokens_per_minute: 100, concurrency: 5 }, { tenant }), budget(100n, { tenant })];
    const shard = `deja:limits:{${tenant}}`;
    const keys = [`${limit.counter}:minute`, `${limit.counter}:minute:past`, `${limit.counter}:flights`, `${shard}:leases`, `${shard}:held`];
    const wrong: ((key: string) => Promise<unknown>)[] = [(key) => client.set(key, 'nonsense'), (key) => client.hset(key, 'a', '-0'), (key) => client.rpush(key, 'x', '1:2', ''), (key) => client.zadd(key, 5, 'nobody')];
    for (const write of wrong) {
      for (const key of keys) {
        await client.del(...keys);
        await write(key);
        await at.seed(money, 0n);
        const held = await at.admitted([limit, money], { tokens: 5, nanoUsd: 1n });
        at.ms += 1000;
        expect((await at.ask([limit])).verdict).toMatchObject({ kind: 'admitted', ceilings: [{ used: { requests_per_minute: 2, tokens_per_minute: 5, concurrency: 2 } }] });
        await at.settle(held, 4, 0n);
      }
    }
    for (const broken of [() => client.hset(money.account.key, { spent: '1.5', held: 'many' }), () => client.set(money.account.key, '5')]) {
      await client.del(money.account.key);
      await broken();
      expect((await at.ask([money])).verdict.kind).toBe('unseeded');
      await at.seed(money, 3n);
      expect((await at.ask([money])).verdict).toMatchObject({ kind: 'admitted', budgets: [{ spentNanoUsd: 3n, heldNanoUsd: 0n }] });
    }
  });

  const records = [
    '[{}]', '["text"]', '[5]', '[5,0,"1","1",false,0,1,0,{}]', '[5,0,"1","1",false,1,0,1,"k","l",0,"a","b","c","d"]', '[5,0,1,1,9,0,0,0]', '[1,1,"x","y",false,-3,8,0]', '[{},{},{},{},{},0,0,0]',
  ];
  test.each(['', 'no record', ...records])(
    'a record that reads %j stops nobody, and is forgotten',
    async (text) => {
      const at = stage();
      const tenant = unique('t');
      const limit = ceiling({ concurrency: 5, tokens_per_minute: 100 }, { tenant });
      const held = await at.admitted([limit], { tokens: 5 });
      const packed = records.includes(text) ? 'cmsgpack.pack(unpack(cjson.decode(ARGV[2])))' : 'ARGV[2]';
      const record = async (): Promise<void> => void (await server.client.eval(`redis.call('HSET', KEYS[1], ARGV[1], ${packed})`, 1, `deja:limits:{${tenant}}:held`, held.charge.operation, text));
      await record();
      await at.add(held, 1);
      await at.settle(held, 1);
      await record();
      await at.release(held);
      await record();
      await at.renew(held);
      await record();
      at.ms += LEASE_MS;
      expect((await at.ask([limit])).verdict.kind).toBe('admitted');
      await record();
      expect((await at.ask([limit], { operation: held.charge.operation })).verdict.kind).toBe('admitted');
    },
  );

  test('a window whose entries make no sense is begun anew', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_minute: 2 });
    const second = Math.floor(at.ms / 1000);
    const head = headOf(1, 9, 9, second, second - 100);
    const strange: [head: Buffer | string, ...past: (Buffer | string)[]][] = [
      ['x'], [head], [head, 'x'], [head, entryOf(second - 100), 'x'], [head, entryOf(second - 100), Buffer.alloc(17)], [head, entryOf(second - 100), entryOf(second - 99)],
      [headOf(1, 9, 9, second + 5000, 0)], [Buffer.alloc(52)], [Buffer.alloc(52, 255)], [Buffer.alloc(51)],
    ];
    for (const [first, ...past] of strange) {
      await server.client.del(`${limit.counter}:minute:past`);
      await server.client.set(`${limit.counter}:minute`, first);
      if (past.length > 0) await server.client.rpush(`${limit.counter}:minute:past`, ...past);
      expect((await at.ask([limit])).verdict).toMatchObject({ kind: 'admitted', ceilings: [{ used: { requests_per_minute: 1 } }] });
    }
  });

  test('a window lives as long as something counts in it, although that is not said at each charge', async () => {
    const at = stage();
    const { client } = server;
    const limit = ceiling({ requests_per_minute: 1000, tokens_per_minute: 1000 });
    const keys = [`${limit.counter}:minute`, `${limit.counter}:minute:past`];
    const endsAtMs = new Map<string, number>();
    const leftMs: number[] = [];
    let said = 0;
    for (const seconds of [0, 1, 1, 20, 7, 1, 1, 29, 30, 31, 59, 1, 60, 61, 62, 1, 28, 2, 0, 14, 14, 14]) {
      at.ms += 1000 * seconds;
      for (const key of keys) await client.expire(key, 10_000);
      await at.admitted([limit], { tokens: 1 });
      for (const key of keys) {
        const ttlS = await client.ttl(key);
        if (ttlS > 0 && ttlS < 9000) {
          said += 1;
          endsAtMs.set(key, at.ms + 1000 * ttlS);
        }
        if (ttlS !== -2) leftMs.push((endsAtMs.get(key) ?? 0) - at.ms);
      }
    }
    expect(Math.min(...leftMs)).toBeGreaterThan(61_000);
    expect(said).toBeLessThan(leftMs.length);
  });

  test('when everything has ended nothing is left but windows and what was spent', async () => {
    await server.client.flushall();
    const at = stage();
    const tenant = unique('t');
    const limits = [ceiling({ requests_per_day: 5, tokens_per_minute: 100, concurrency: 5 }, { tenant }), budget(100n, { tenant })];
    await at.seed(budget(100n, { tenant }), 0n);
    for (const one of limits) if ('account' in one) await at.seed(one, 0n);
    await at.settle(await at.admitted(limits, { tokens: 5, nanoUsd: 5n }), 1, 1n);
    await at.admitted(limits, { tokens: 5, nanoUsd: 5n });
    at.ms += LEASE_MS;
    await at.release(await at.admitted(limits));
    at.ms += 2 * 3_600_000;
    await at.release(await at.admitted(limits));
    expect((await server.client.keys('*')).map((key) => key.replace(/.*:/, '').replace(/\d+$/, '')).toSorted()).toEqual(['budget', 'budget', 'day', 'minute', 'past']);
  });
});

describe('a window of a day', () => {
  /** A day of traffic in every second, as the script writes it, up to this one. */
  async function fill(at: LimitStage, key: string, seconds: number): Promise<void> {
    const now = Math.floor(at.ms / 1000);
    await server.client.set(key, headOf(seconds - 1, seconds, 100 * seconds, now, now - seconds + 1));
    await server.client.rpush(`${key}:past`, ...Array.from({ length: seconds - 1 }, (_, n) => entryOf(now - seconds + 1 + n)));
  }

  test('with traffic in every second takes less than 2 MiB, and no more as days pass', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_day: 1e6, tokens_per_day: 1e9 });
    const key = `${limit.counter}:day`;
    await fill(at, key, 86_401);
    for (let n = 0; n < 300; n += 1) {
      at.ms += 1000;
      await at.settle(await at.admitted([limit], { tokens: 1000 }), 100);
    }
    expect(await server.client.llen(`${key}:past`)).toBe(86_400);
    expect(Number(await server.client.memory('USAGE', key)) + Number(await server.client.memory('USAGE', `${key}:past`))).toBeLessThan(2 * 2 ** 20);
    expect((await at.ask([limit], { tokens: 0 })).verdict).toMatchObject({ ceilings: [{ used: { requests_per_day: 86_402, tokens_per_day: 8_640_100 } }] });
  });

  test('after half a day without traffic nothing is refused while there is room, and what has expired is soon gone', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_day: 43_206 });
    const key = `${limit.counter}:day`;
    await fill(at, key, 86_401);
    at.ms += DAY_MS / 2;
    const outcomes = [];
    for (let n = 0; n < 6; n += 1) outcomes.push((await at.ask([limit])).verdict.kind);
    expect(outcomes).toEqual([...Array<string>(5).fill('admitted'), 'refused']);
    const roomy = ceiling({ requests_per_day: 1e6 });
    await fill(at, `${roomy.counter}:day`, 86_401);
    at.ms += DAY_MS / 2;
    const used: unknown[] = [];
    for (let n = 0; n < 12; n += 1) {
      const { verdict } = await at.ask([roomy]);
      if (verdict.kind === 'admitted') used.push(verdict.ceilings[0]?.used.requests_per_day);
    }
    expect(used.at(-1)).toBe(43_201 + 12);
  });

  test('a wait that is long to find out is told too short, never too long', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_day: 100 * 3600 });
    await fill(at, `${limit.counter}:day`, 3600);
    expect((await at.ask([limit], { tokens: 1000 })).verdict).toMatchObject({ waitMs: DAY_MS - 3_590_000 + 750 });
    const { verdict } = await at.ask([limit], { tokens: 100 * 3000 });
    expect(verdict).toMatchObject({ kind: 'refused', waitMs: DAY_MS - 3_599_000 + 127_000 + 750 });
  });

  test('a correction finds its entry among a day of them, and none that is not its own', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_day: 1e9 });
    const key = `${limit.counter}:day`;
    await fill(at, key, 4000);
    const held = await at.admitted([limit], { tokens: 5000 });
    const number = await server.client.llen(`${key}:past`);
    for (let n = 0; n < 3; n += 1) {
      at.ms += 28_080_000;
      await at.renew(held);
      await at.admitted([limit], { tokens: 1 });
    }
    const found = async (): Promise<number | undefined> => {
      const entries = await server.client.lrangeBuffer(`${key}:past`, 0, -1);
      expect(entries.length).toBeLessThan(number);
      return entries.find((entry) => entry.readDoubleBE(8) > 1000)?.readDoubleBE(8);
    };
    expect(await found()).toBe(5100);
    await at.settle(held, 4000);
    expect(await found()).toBe(4100);
    at.ms += DAY_MS - 3 * 28_080_000 + 1000;
    expect((await at.ask([limit], { tokens: 2 })).verdict).toMatchObject({ ceilings: [{ used: { tokens_per_day: 2 } }] });
    await at.settle(held, 3000);
    expect((await at.ask([limit], { tokens: 2 })).verdict).toMatchObject({ ceilings: [{ used: { tokens_per_day: 4 } }] });
  });
});
