import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COUNTING_GATEWAYS_KEY, gatewayAcceptedKey, gatewayAliveKey, gatewayOpsKey, GATEWAYS_KEY } from '@deja/contracts';
import { openPipeline } from '@deja/redis';
import { eventually } from '@deja/testing';
import { all, open, OutboxStage, settled } from '../../test/outbox-stage.ts';
import { quarterOf } from './accepted.ts';

let stage: OutboxStage;
beforeAll(async () => {
  stage = await OutboxStage.start();
});
afterAll(() => stage.stop());

describe('a queue that has no room', () => {
  test('sends records to the disk, and takes them from there, the oldest first, when it has some', async () => {
    const { box, queued, queue, bound } = stage.outbox('full');
    await box.start();
    queue.jobs = 5000;
    await bound.look();
    const records = Array.from({ length: 250 }, () => settled());
    for (const record of records) await stage.settle(box, record);
    await eventually('the records to be on disk alone', async () => (await stage.server.client.hlen(gatewayOpsKey('full'))) === 0 && stage.filesIn('full').length > 0);
    expect(queued).toEqual([]);
    queue.jobs = 0;
    await eventually('the records to arrive', () => all(records, queued));
    expect(queued).toEqual(records.map(({ id }) => id));
    await box.close();
  });

  test('and a disk that has none either: records stay in Redis, and go on from there', async () => {
    const { box, queued, queue, bound, limits } = stage.outbox('full2', { spoolBytes: 0 });
    await box.start();
    queue.jobs = 5000;
    await bound.look();
    const records = Array.from({ length: 250 }, () => settled());
    for (const record of records) await stage.settle(box, record);
    await box.flush();
    expect([queued, await stage.server.client.hlen(gatewayOpsKey('full2'))]).toEqual([[], records.length]);
    queue.jobs = 0;
    limits.spoolBytes = 1e6;
    await eventually('the records to arrive', async () => all(records, queued) && (await stage.server.client.hlen(gatewayOpsKey('full2'))) === 0);
    await box.close();
  });

  test('lets a process stop: what it has left is for the sweep', async () => {
    const { box, queue, bound } = stage.outbox('full3');
    await box.start();
    queue.jobs = 5000;
    await bound.look();
    const record = settled();
    await stage.settle(box, record);
    await box.close();
    expect(await stage.server.client.hkeys(gatewayOpsKey('full3'))).toEqual([record.id]);
    expect(await stage.server.client.sismember(GATEWAYS_KEY, 'full3')).toBe(1);
  });

  test('with Redis away and no disk, records wait in memory; those for which there is no place are named as lost', async () => {
    const { box, queued, errors } = stage.outbox('none', { spoolBytes: 0 });
    await box.start();
    await stage.server.kill();
    const records = Array.from({ length: 10_001 }, () => settled());
    for (const record of records) box.settled(record, false);
    await eventually('the lost one to be told of', () => errors.some((fields) => 'records' in fields));
    expect(errors.find((fields) => 'records' in fields)).toEqual({ count: 1, records: [records.at(-1)!.id] });
    await stage.server.restart();
    await eventually('the others to arrive', () => new Set(queued).size === 10_000);
    await box.close();
  });
});

describe('what was accepted', () => {
  const now = (): number => quarterOf(Date.now());

  test('counts each operation once, whether it was opened, or refused before that', async () => {
    const { box, accepted } = stage.outbox('n1');
    await box.start();
    const opened = open();
    await accepted.queue(openPipeline(stage.server.client), accepted.opened(opened)).exec();
    box.opened(opened, true);
    await stage.settle(box, settled(opened.id));
    await stage.settle(box, settled());
    expect(await stage.counted('n1')).toBe(2);
    expect(await stage.server.client.sismember(COUNTING_GATEWAYS_KEY, 'n1')).toBe(1);
    expect(await stage.server.client.ttl(gatewayAcceptedKey('n1'))).toBeGreaterThan(86_400);
    await box.close();
  });

  test('is right again after Redis has lost it, and of what was accepted without Redis', async () => {
    const { box } = stage.outbox('n2');
    await box.start();
    await stage.settle(box, settled());
    await stage.server.client.flushall();
    await stage.server.kill();
    box.opened(open(), false);
    await stage.settle(box, settled());
    await stage.server.restart();
    await eventually('the count to be there again', async () => (await stage.counted('n2')) === 3);
    await box.close();
    expect(await stage.counted('n2')).toBe(3);
  });

  test('of a process that is gone is in its spool, and counts once however often that is replayed', async () => {
    const { box: dying } = stage.outbox('n3');
    await dying.start();
    await stage.settle(dying, settled());
    const lost = [settled(), settled()];
    for (const record of lost) dying.settled(record, false); // and then it is killed
    const [file] = stage.filesIn('n3');
    stage.folder('n4');
    const text = readFileSync(join(stage.dir, 'n3', file!));
    const copy = (): void => writeFileSync(join(stage.dir, 'n4', '999999999.n3.x.jsonl'), text);
    copy();
    await stage.server.client.del(gatewayAliveKey('n3'));
    const { box, queued } = stage.outbox('n4');
    await box.start();
    await eventually('the records to arrive', () => lost.every(({ id }) => queued.includes(id)));
    copy();
    await eventually('the records to arrive again', () => queued.length >= 4 && stage.filesIn('n4').length === 0);
    expect(await stage.counted('n3')).toBe(3);
    expect(await stage.server.client.hget(gatewayAcceptedKey('n3'), String(now()))).toBe('3');
    await Promise.all([box.close(), dying.close()]);
  });
});
