import { expect, test } from '@jest/globals';
import { AnswerMemory } from './answer-memory.ts';

test('each id of an answer is noted once, those that are known together in one round trip', async () => {
  const trips: unknown[] = [];
  const objects = {
    remember: async (object: { id: string }, parts: readonly { id: string }[] = []) => void trips.push([object.id, ...parts.map(({ id }) => id)]),
    rememberParts: async (_owner: unknown, parts: readonly { id: string }[]) => void (parts.length > 0 && trips.push(parts.map(({ id }) => id))),
    leaveUnbilled: async (tenant: string, id: string) => void trips.push(['unbilled', tenant, id]),
  };
  const item = (id: string): { kind: 'item'; id: string } => ({ kind: 'item', id });
  const memory = new AnswerMemory(objects, 'acme', { provider: 'p', deployment: 'p/m', credential: null }, () => 0);
  await memory.note({ response: null, parts: [] });
  await memory.note({ response: 'resp_1', parts: [item('rs_1')] }, true);
  await memory.note({ response: 'resp_1', parts: [item('rs_1'), item('msg_1'), item('fc_1')] });
  await memory.note({ response: 'resp_1', parts: [item('rs_1'), item('msg_1'), item('fc_1')] });
  expect(trips).toEqual([['unbilled', 'acme', 'resp_1'], ['resp_1', 'rs_1'], ['msg_1', 'fc_1']]);
});
