import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { gatewayAliveKey, gatewayOpsKey, GATEWAYS_KEY, newId, type AttemptRecord, type LateAttempt, type OpenOperation, type OperationRecord } from '@deja/contracts';
import { eventually, RedisProcess } from '@deja/testing';
import { Outbox } from './outbox.ts';
import { lineId, Spool } from './spool.ts';

const silent = { info: () => undefined, error: () => undefined };
let server: RedisProcess;
const dir = mkdtempSync(join(tmpdir(), 'deja-spool-'));

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const open = (id = newId()): OpenOperation => ({
  kind: 'open', id, tenant: 't', key: 'k', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'm', stream: false, receivedAtMs: Date.now(), estimatedPromptTokens: 1, traceId: null,
});
const settled = (id = newId()): OperationRecord => ({ ...open(id), kind: 'settled' }) as unknown as OperationRecord;
const late = (operation = newId()): LateAttempt => ({ kind: 'late_attempt', operation, tenant: 't', attempt: { id: newId(), n: 0, shadow: true } as AttemptRecord });

function outbox(instance: string): { box: Outbox; queued: string[]; queue: { up: boolean } } {
  const queued: string[] = [];
  const queue = { up: true };
  const box = new Outbox(
    server.client,
    async (batch) => {
      if (!queue.up) throw new Error('queue is away');
      queued.push(...batch.events.map(lineId));
    },
    new Spool(join(dir, instance), instance),
    { instance, leaseS: 60, logger: silent },
  );
  return { box, queued, queue };
}

/** As settlement does it. */
async function settle(box: Outbox, record: OperationRecord): Promise<void> {
  const pipeline = server.client.pipeline();
  box.queue(pipeline, record);
  box.settled(record, await pipeline.exec().then((replies) => replies?.every(([error]) => error === null) ?? false, () => false));
}

describe('settled operations on their way to the ledger', () => {
  test('a record is in Redis until the queue has it, then leaves no trace', async () => {
    const { box, queued } = outbox('a');
    await box.start();
    const record = settled();
    await settle(box, record);
    await eventually('the record to be queued', async () => queued.includes(record.id) && (await server.client.hlen(gatewayOpsKey('a'))) === 0);
    await box.close();
    expect(await server.client.sismember(GATEWAYS_KEY, 'a')).toBe(0);
    expect(await server.client.exists(gatewayAliveKey('a'))).toBe(0);
  });

  test('a process that stops with an operation still open keeps its place in the sweep', async () => {
    const { box } = outbox('b');
    await box.start();
    const operation = open();
    await server.client.hset(gatewayOpsKey('b'), operation.id, JSON.stringify(operation));
    box.opened(operation, true);
    await box.close();
    expect(await server.client.sismember(GATEWAYS_KEY, 'b')).toBe(1);
  });

  test('what the queue refuses goes to the spool and is replayed, once and in full', async () => {
    const { box, queued, queue } = outbox('c');
    queue.up = false;
    await box.start();
    const records = Array.from({ length: 450 }, () => settled());
    await Promise.all(records.map((record) => settle(box, record)));
    await eventually('the records to arrive', () => readdirSync(join(dir, 'c')).length > 0);
    await box.flush();
    queue.up = true;
    await eventually('the records to arrive', () => new Set(queued).size === records.length);
    await box.close();
    expect(readdirSync(join(dir, 'c'))).toEqual([]);
  });

  test('while Redis is away openings and settlements are on disk, and come back with it', async () => {
    const { box, queued } = outbox('d');
    await box.start();
    await server.kill();
    const done = open();
    const running = open();
    box.opened(done, false);
    box.opened(running, false);
    await settle(box, settled(done.id));
    expect(queued).toEqual([]);
    await server.restart();
    await eventually('the records to arrive', async () => queued.includes(done.id) && (await server.client.hexists(gatewayOpsKey('d'), running.id)) === 1);
    expect(await server.client.hexists(gatewayOpsKey('d'), done.id)).toBe(0);
    await settle(box, settled(running.id));
    await eventually('the records to arrive', () => queued.includes(running.id));
    await box.close();
  });

  test('the spool of a dead process is adopted: settled records are queued, openings go to the sweep', async () => {
    const lines = [open(), settled(), open()];
    const spoolDir = join(dir, 'e');
    new Spool(spoolDir, 'unused').append([]);
    writeFileSync(join(spoolDir, '999999999.dead.x.jsonl'), `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"kind":"settl`);
    const { box, queued } = outbox('e');
    await box.start();
    await eventually('the records to arrive', async () => queued.includes(lines[1]!.id) && (await server.client.hlen(gatewayOpsKey('dead'))) === 2);
    expect(await server.client.sismember(GATEWAYS_KEY, 'dead')).toBe(1);
    await box.close();
  });
});

describe('a shadow that ended after its operation', () => {
  test('is in Redis until the queue has it, under its own id, and leaves no trace', async () => {
    const held: (string | null)[] = [];
    const event = late();
    const box = new Outbox(server.client, async () => void held.push(await server.client.hget(gatewayOpsKey('f'), event.attempt.id)), new Spool(join(dir, 'f'), 'f'), { instance: 'f', leaseS: 60, logger: silent });
    await box.start();
    await box.late(event);
    await box.close();
    expect(held).toEqual([JSON.stringify(event)]);
    expect(await server.client.exists(gatewayOpsKey('f'))).toBe(0);
    expect(await server.client.sismember(GATEWAYS_KEY, 'f')).toBe(0);
  });

  test('never takes the place of its operation, nor its operation of it', async () => {
    const { box, queued, queue } = outbox('g');
    queue.up = false;
    await box.start();
    const record = settled();
    const events = [late(record.id), late(record.id)];
    await Promise.all(events.map((event) => box.late(event)));
    await settle(box, record);
    await box.flush();
    queue.up = true;
    const expected = [record.id, ...events.map((event) => event.attempt.id)].toSorted();
    await eventually('all three to arrive', () => JSON.stringify([...new Set(queued)].toSorted()) === JSON.stringify(expected));
    await box.close();
    expect(readdirSync(join(dir, 'g'))).toEqual([]);
  });

  test('is on disk while Redis is away, and comes back with it', async () => {
    const { box, queued } = outbox('h');
    await box.start();
    await server.kill();
    const event = late();
    await box.late(event);
    expect(queued).toEqual([]);
    await server.restart();
    await eventually('the record to arrive', () => queued.includes(event.attempt.id));
    await box.close();
  });

  test('is adopted from the spool of a dead process, and has no business with the sweep', async () => {
    const spoolDir = join(dir, 'i');
    new Spool(spoolDir, 'unused').append([]);
    const lines = [open(), late(), late()] as const;
    writeFileSync(join(spoolDir, '999999999.gone.x.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { box, queued } = outbox('i');
    await box.start();
    await eventually('both to arrive', () => queued.length === 2);
    expect(queued.toSorted()).toEqual([lines[1].attempt.id, lines[2].attempt.id].toSorted());
    await eventually('the opening to be where the sweep looks', async () => (await server.client.hkeys(gatewayOpsKey('gone'))).join() === lines[0].id);
    await box.close();
  });
});
