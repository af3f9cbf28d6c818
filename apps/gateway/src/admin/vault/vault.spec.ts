import { expect, test } from '@jest/globals';
import { RpcTimeout } from '@deja/transport';
import type { RewrapReport } from '@deja/contracts';
import { changeBy, scriptedAdmin, type ScriptedAdmin } from '../../../test/scripted-admin.ts';

async function rewrapped(reports: Partial<RewrapReport>[], now?: () => number): Promise<{ reply: Awaited<ReturnType<ScriptedAdmin['send']>>; calls: number }> {
  let asked = 0;
  const admin = await scriptedAdmin({ script: { rewrap_vault: () => ({ currentKey: 'mk-2', rewrapped: 0, remaining: 0, failed: [], ...reports[Math.min(asked++, reports.length - 1)] }) }, ...(now && { now }) });
  const reply = await admin.send({ method: 'POST', url: '/admin/v1/vault/rewrap' });
  await admin.close();
  return { reply, calls: asked };
}

test('a rewrap goes on until nothing remains, and counts all that was moved', async () => {
  const { reply, calls } = await rewrapped([{ rewrapped: 50, remaining: 70 }, { rewrapped: 50, remaining: 20 }, { rewrapped: 20 }]);
  expect([reply.statusCode, reply.json(), calls]).toEqual([200, { current_key: 'mk-2', rewrapped: 120, remaining: 0, failed: [] }, 3]);
});

test('a rewrap that moves nothing any more ends, and says what remains', async () => {
  const { reply, calls } = await rewrapped([{ rewrapped: 5, remaining: 7 }, { remaining: 7 }]);
  expect([reply.json(), calls]).toEqual([{ current_key: 'mk-2', rewrapped: 5, remaining: 7, failed: [] }, 2]);
});

test('what cannot be moved is told once, with the last reason', async () => {
  const { reply } = await rewrapped([{ rewrapped: 1, remaining: 1, failed: [{ id: 'a', reason: 'no key mk-0' }] }, { rewrapped: 1, failed: [{ id: 'a', reason: 'still no key mk-0' }, { id: 'b', reason: 'no key mk-0' }] }]);
  expect(reply.json()).toMatchObject({ rewrapped: 2, failed: [{ id: 'a', reason: 'still no key mk-0' }, { id: 'b', reason: 'no key mk-0' }] });
});

test('a rewrap of very much is answered in time; the next call goes on', async () => {
  let nowMs = 0;
  const { reply, calls } = await rewrapped([{ rewrapped: 1, remaining: 1_000_000 }], () => (nowMs += 5000));
  expect(reply.json()).toMatchObject({ remaining: 1_000_000 });
  expect(calls).toBeLessThan(10);
});

test('each piece is a change of its own, also under an idempotency key: none is taken for a repetition', async () => {
  let left = 3;
  const admin = await scriptedAdmin({ script: { rewrap_vault: () => ({ currentKey: 'mk-2', rewrapped: 1, remaining: --left, failed: [] }) } });
  const reply = await admin.send({ method: 'POST', url: '/admin/v1/vault/rewrap', headers: { 'idempotency-key': 'the-first-of-january' } });
  expect([reply.statusCode, reply.json()]).toMatchObject([200, { rewrapped: 3, remaining: 0 }]);
  expect(admin.calls).toEqual([1, 2, 3].map(() => ({ pattern: 'rewrap_vault', request: { change: changeBy() } })));
  await admin.close();
});

test('a router that does not answer is not waited for', async () => {
  const admin = await scriptedAdmin({
    script: {
      rewrap_vault: () => {
        throw new RpcTimeout('rewrap_vault', 1);
      },
    },
  });
  const reply = await admin.send({ method: 'POST', url: '/admin/v1/vault/rewrap', payload: '{}', headers: { 'content-type': 'application/json' } });
  expect([reply.statusCode, reply.headers['retry-after']]).toEqual([503, '1']);
  await admin.close();
});
