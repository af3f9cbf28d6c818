import { trace } from '@opentelemetry/api';
import { describe, expect, test } from '@jest/globals';
import type { Principal } from '@deja/contracts';
import { Operation } from './operation.ts';
import { tagsOf } from './request-headers.ts';

const operationWith = (header: string | undefined, tags: Record<string, string>): Operation => {
  const operation = new Operation('chat/completions', {}, trace.getTracer('test').startSpan('request'), '192.0.2.1');
  operation.requestTags = tagsOf(header);
  operation.principal = { tenant: 'acme', key: 'k', tags } as unknown as Principal;
  return operation;
};

describe('tags of an operation', () => {
  test('are those of its key and those that the request adds', () => {
    expect(operationWith('feature=b', { team: 'a' }).opening().tags).toEqual({ team: 'a', feature: 'b' });
    expect(operationWith(undefined, { team: 'a' }).opening().tags).toEqual({ team: 'a' });
  });

  test('that the key has are not changed by a request', () => {
    expect(operationWith('team=evil,feature=b', { team: 'a' }).tags).toEqual({ team: 'a', feature: 'b' });
  });

  test('are at most 16 of the request, beside the key\'s', () => {
    const many = (count: number): string => Array.from({ length: count }, (_, i) => `t${i}=1`).join(',');
    expect(Object.keys(operationWith(many(16), { team: 'a' }).tags)).toHaveLength(17);
    expect(() => tagsOf(many(17))).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'x-deja-tags' }));
  });
});

describe('the signal of an operation', () => {
  const operation = (): Operation => operationWith(undefined, {});

  test.each([['is over', (one: Operation) => one.end()], ['has lost its client', (one: Operation) => one.abandon()]])('fires once it %s, for whoever listens by then and whoever asks later', (_, stop) => {
    const [early, late] = [operation(), operation()];
    let heard = 0;
    early.signal.addEventListener('abort', () => heard++);
    expect(early.signal.aborted).toBe(false);
    for (const one of [early, late]) stop(one);
    stop(early);
    expect([early.signal.aborted, late.signal.aborted, heard]).toEqual([true, true, 1]);
    expect(late.signal.reason).toMatchObject({ name: 'AbortError' });
    expect(late.signal).toBe(late.signal);
  });

  test('stays silent while others want what it buys', () => {
    const leader = operation();
    leader.followed = { isWanted: true };
    leader.abandon();
    expect([leader.signal.aborted, leader.abandoned]).toEqual([false, true]);
    leader.followed = { isWanted: false };
    leader.abandon();
    expect(leader.signal.aborted).toBe(true);
  });
});

describe('a step', () => {
  test('that has its result at once gives it at once, and throws at once; one that waits is waited for', async () => {
    const one = operationWith(undefined, {});
    expect(one.timed('plan', () => 1)).toBe(1);
    expect(() => one.timed('auth', (): number => {
      throw new Error('refused');
    })).toThrow('refused');
    await expect(one.timed('reserve', () => Promise.resolve(2))).resolves.toBe(2);
    await expect(one.timed('upstream', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    expect([...one.stages.keys()]).toEqual(['plan', 'auth', 'reserve', 'upstream']);
  });
});
