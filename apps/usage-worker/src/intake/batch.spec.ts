import { eventsOf } from './batch.ts';

test('a job that is no batch is one event that nobody can read', () => {
  expect(eventsOf({ v: 1, events: [1, 2] })).toEqual([1, 2]);
  expect(eventsOf({ v: 2, events: [1, 2] })).toEqual([{ v: 2, events: [1, 2] }]);
  expect(eventsOf('x')).toEqual(['x']);
});
