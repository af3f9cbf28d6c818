import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayAliveKey, gatewayOpsKey, GATEWAYS_KEY } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { all, late, open, OutboxStage, settled } from '../../test/outbox-stage.ts';

let stage: OutboxStage;
beforeAll(async () => {
  stage = await OutboxStage.start();
});
afterAll(() => stage.stop());

/** An outbox with 12,000 settled operations while no job is taken, until `taken` says so. */
async function moreThanTheQueueTakes(instance: string) {
  const { box, queued, queue } = stage.outbox(instance);
  const taken = Promise.withResolvers<void>();
  queue.until = taken.promise;
  await box.start();
  const records = Array.from({ length: 12_000 }, () => settled());
  await Promise.all(records.map((record) => stage.settle(box, record)));
  return { box, queued, records, taken };
}

describe('settled operations on their way to the ledger', () => {
  test('a record is in Redis until the queue has it, then leaves no trace', async () => {
    const { box, queued } = stage.outbox('a');
    await box.start();
    const record = settled();
    await stage.settle(box, record);
    await eventually('the record to be queued', async () => queued.includes(record.id) && (await stage.server.client.hlen(gatewayOpsKey('a'))) === 0);
    await box.close();
    expect(await stage.server.client.sismember(GATEWAYS_KEY, 'a')).toBe(0);
    expect(await stage.server.client.exists(gatewayAliveKey('a'))).toBe(0);
  });

  test('a process that stops with an operation still open keeps its place in the sweep', async () => {
    const { box } = stage.outbox('b');
    await box.start();
    const operation = open();
    await stage.server.client.hset(gatewayOpsKey('b'), operation.id, JSON.stringify(operation));
    box.opened(operation, true);
    await box.close();
    expect(await stage.server.client.sismember(GATEWAYS_KEY, 'b')).toBe(1);
  });

  test('what the queue refuses goes to the spool and is replayed, once and in full, and leaves nothing in Redis', async () => {
    const { box, queued, queue } = stage.outbox('c');
    queue.up = false;
    await box.start();
    const records = Array.from({ length: 450 }, () => settled());
    await Promise.all(records.map((record) => stage.settle(box, record)));
    await eventually('the records to be on disk', async () => stage.filesIn('c').length > 0 && (await stage.server.client.hlen(gatewayOpsKey('c'))) === 0);
    await box.flush();
    queue.up = true;
    await eventually('the records to arrive', () => all(records, queued));
    await box.close();
    expect(stage.filesIn('c')).toEqual([]);
    expect(queued).toHaveLength(records.length);
  });

  test('where the queue takes jobs slower than operations end, only so many wait in memory; the others wait in Redis, and all of them arrive', async () => {
    const { box, queued, records, taken } = await moreThanTheQueueTakes('slow');
    expect(box.inMemory).toBe(10_000);
    expect(await stage.server.client.hlen(gatewayOpsKey('slow'))).toBe(records.length);
    taken.resolve();
    await eventually('the records to arrive', async () => all(records, queued) && (await stage.server.client.hlen(gatewayOpsKey('slow'))) === 0);
    expect(queued.length).toBeLessThan(records.length + 1000); // those that were on their way while the hash was read came twice
    await box.close();
    expect(stage.filesIn('slow')).toEqual([]);
  });

  test('what waited in Redis alone when it crashed, and is not in it any more, is told again', async () => {
    const { box, queued, records, taken } = await moreThanTheQueueTakes('slow-crash');
    await stage.server.client.flushall();
    await stage.server.kill();
    await stage.server.restart();
    taken.resolve();
    await eventually('the records to arrive', () => all(records, queued));
    await box.close();
    expect(stage.filesIn('slow-crash')).toEqual([]);
  });

  test('while Redis is away openings and settlements are on disk, and come back with it', async () => {
    const { box, queued } = stage.outbox('d');
    await box.start();
    await stage.server.kill();
    const done = open();
    const running = open();
    box.opened(done, false);
    box.opened(running, false);
    await stage.settle(box, settled(done.id));
    expect(queued).toEqual([]);
    await stage.server.restart();
    await eventually('the records to arrive', async () => queued.includes(done.id) && (await stage.server.client.hexists(gatewayOpsKey('d'), running.id)) === 1);
    expect(await stage.server.client.hexists(gatewayOpsKey('d'), done.id)).toBe(0);
    await stage.settle(box, settled(running.id));
    await eventually('the records to arrive', () => queued.includes(running.id));
    await box.close();
    expect(stage.filesIn('d')).toEqual([]);
  });

  test('what Redis took last and lost in a crash is told again', async () => {
    const { box, queued } = stage.outbox('crash');
    await box.start();
    const running = open();
    await stage.server.client.hset(gatewayOpsKey('crash'), running.id, JSON.stringify(running));
    box.opened(running, true);
    const record = settled();
    await stage.settle(box, record);
    await eventually('the record to be queued', () => queued.includes(record.id));
    await stage.server.client.flushall();
    await stage.server.kill();
    await stage.server.restart();
    await eventually('both to be known again', async () => queued.filter((id) => id === record.id).length > 1 && (await stage.server.client.hexists(gatewayOpsKey('crash'), running.id)) === 1);
    await stage.settle(box, settled(running.id));
    await box.close();
    expect(await stage.server.client.hlen(gatewayOpsKey('crash'))).toBe(0);
  });

  test('the spool of a dead process is adopted: settled records are queued, openings go to the sweep', async () => {
    const lines = [open(), settled(), open()];
    stage.folder('e');
    writeFileSync(join(stage.dir, 'e', '999999999.host.example-dead.x.jsonl'), `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"kind":"settl`);
    const { box, queued } = stage.outbox('e');
    await box.start();
    await eventually('the records to arrive', async () => queued.includes(lines[1]!.id) && (await stage.server.client.hlen(gatewayOpsKey('host.example-dead'))) === 2);
    expect(await stage.server.client.sismember(GATEWAYS_KEY, 'host.example-dead')).toBe(1);
    await box.close();
  });

  test('the spool of a process that has its lease is its own, whatever its number says here', async () => {
    stage.folder('e2');
    const record = settled();
    writeFileSync(join(stage.dir, 'e2', `${process.pid}.elsewhere.x.jsonl`), `${JSON.stringify(record)}\n`);
    await stage.server.client.set(gatewayAliveKey('elsewhere'), '1');
    const { box, queued } = stage.outbox('e2');
    await box.start();
    const own = settled();
    await stage.settle(box, own);
    await eventually('its own record to arrive', () => queued.includes(own.id));
    await box.close();
    expect([queued, stage.filesIn('e2')]).toEqual([[own.id], [`${process.pid}.elsewhere.x.jsonl`]]);
  });

  test('two processes that adopt the same spool bring every record, and leave nothing behind', async () => {
    stage.folder('both');
    const records = Array.from({ length: 300 }, () => settled());
    records.forEach((record, i) => writeFileSync(join(stage.dir, 'both', `999999999.gone2.${i % 30}.jsonl`), `${JSON.stringify(record)}\n`, { flag: 'a' }));
    const [one, other] = [stage.outbox('both-1', { spoolDir: 'both' }), stage.outbox('both-2', { spoolDir: 'both' })];
    await Promise.all([one.box.start(), other.box.start()]);
    await eventually('all records to arrive', () => all(records, [...one.queued, ...other.queued]));
    await eventually('an empty spool', () => stage.filesIn('both').length === 0);
    await Promise.all([one.box.close(), other.box.close()]);
    expect(await stage.server.client.exists(gatewayOpsKey('gone2'))).toBe(0);
  });
});

describe('a shadow that ended after its operation', () => {
  test('is in Redis until the queue has it, under its own id, and leaves no trace', async () => {
    const { box, queued, queue } = stage.outbox('f');
    const event = late();
    await box.start();
    queue.up = false;
    await box.late(event);
    expect(await stage.server.client.hget(gatewayOpsKey('f'), event.attempt.id)).toBe(JSON.stringify(event));
    queue.up = true;
    await box.close();
    expect(queued).toEqual([event.attempt.id]);
    expect(await stage.server.client.exists(gatewayOpsKey('f'))).toBe(0);
    expect(await stage.server.client.sismember(GATEWAYS_KEY, 'f')).toBe(0);
  });

  test('never takes the place of its operation, nor its operation of it', async () => {
    const { box, queued, queue } = stage.outbox('g');
    queue.up = false;
    await box.start();
    const record = settled();
    const events = [late(record.id), late(record.id)];
    await Promise.all(events.map((event) => box.late(event)));
    await stage.settle(box, record);
    await box.flush();
    queue.up = true;
    const expected = [record.id, ...events.map((event) => event.attempt.id)].toSorted();
    await eventually('all three to arrive', () => JSON.stringify([...new Set(queued)].toSorted()) === JSON.stringify(expected));
    await box.close();
    expect(stage.filesIn('g')).toEqual([]);
  });

  test('is on disk while Redis is away, and comes back with it', async () => {
    const { box, queued } = stage.outbox('h');
    await box.start();
    await stage.server.kill();
    const event = late();
    await box.late(event);
    expect(queued).toEqual([]);
    await stage.server.restart();
    await eventually('the record to arrive', () => queued.includes(event.attempt.id));
    await box.close();
  });

  test('is adopted from the spool of a dead process, and has no business with the sweep', async () => {
    stage.folder('i');
    const lines = [open(), late(), late()] as const;
    writeFileSync(join(stage.dir, 'i', '999999999.gone.x.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { box, queued } = stage.outbox('i');
    await box.start();
    await eventually('both to arrive', () => queued.length === 2);
    expect(queued.toSorted()).toEqual([lines[1].attempt.id, lines[2].attempt.id].toSorted());
    await eventually('the opening to be where the sweep looks', async () => (await stage.server.client.hkeys(gatewayOpsKey('gone'))).join() === lines[0].id);
    await box.close();
  });
});
