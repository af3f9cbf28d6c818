import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { eventsOf } from './batch.ts';

const packed = (events: unknown) => ({ v: 2, z: zstdCompressSync(JSON.stringify(events)).toString('base64') });

test('the events of a job come as gateways put them there, of this version and of earlier ones', () => {
  fc.assert(fc.property(fc.array(fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))), (events) => {
    expect(eventsOf({ v: 1, events })).toEqual(events);
    expect(eventsOf(packed(events))).toEqual(events);
  }));
});

test('a job that is no batch, or cannot be unpacked, is one event that nobody can read', () => {
  const whole = packed([1, 2]);
  for (const data of ['x', null, 5, { v: 3, events: [1] }, { v: 2, events: [1, 2] }, { v: 2, z: 5 }, { v: 2, z: '%' }, { v: 2, z: '' }, packed({ not: 'a list' }), { ...whole, z: whole.z.slice(0, -8) }]) {
    expect(eventsOf(data)).toEqual([data]);
  }
});

test('a job that would unpack to more than this process can hold is one event that nobody can read', () => {
  const bomb = { v: 2, z: zstdCompressSync(Buffer.alloc(70 * 1024 * 1024, '[')).toString('base64') };
  expect(eventsOf(bomb)).toEqual([bomb]);
});
