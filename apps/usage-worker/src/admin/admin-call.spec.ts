import { changeOf, queryOf, type UsageCall } from './admin-call.ts';

const bad = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    const { code, param, message } = error as { code: string; param: string; message: string };
    return [code, param, message];
  }
};
const refused = (param: string, why: string): string[] => ['invalid_value', param, `Invalid value for '${param}': ${why}.`];
const replay = (body: unknown): UsageCall => ({ operation: 'replayRejectedEvents', params: {}, query: {}, body, by: { name: 'root', role: 'owner', tenant: null }, after: null, changeId: '019b7d9e-0000-7000-8000-000000000001' });

test.each([
  [{ from: 'yesterday' }, 'from', 'write a day or a moment, as 2026-11-01 or 2026-11-01T09:30:00Z'],
  [{ from: '2026-02-30' }, 'from', 'write a day or a moment, as 2026-11-01 or 2026-11-01T09:30:00Z'],
  [{ provider: '' }, 'provider', 'must not be empty'],
  [{ provider: 'x'.repeat(257) }, 'provider', 'write at most 256 characters'],
  [{ key: 'main' }, 'key', 'write an id, as 019b7d9e-0000-7000-8000-000000000001'],
  [{ outcome: 'good' }, 'outcome', 'write one of ok, error, cancelled, blocked, orphaned'],
  [{ user: ['a', 'b'] }, 'user', 'write text'],
  [{ colour: 'red' }, 'colour', 'there is no such parameter'],
])('the query %j of requests is refused in words that say what to write', (query, param, why) => {
  expect(bad(() => queryOf('listRequests', query))).toEqual(refused(param, why));
});

test('a member of a list is named as it stands in a body', () => {
  expect(bad(() => changeOf('replayRejectedEvents', replay({ ids: ['a', 1] })))).toEqual(refused('ids[1]', 'write text'));
  expect(bad(() => changeOf('replayRejectedEvents', replay({ ids: [] })))).toEqual(refused('ids', 'must not be empty'));
});

test('a day is its beginning in UTC, and a moment stays as it is', () => {
  expect(queryOf('listRequests', { from: '2026-11-01', to: '2026-11-01T09:30:00+01:00' })).toMatchObject({ from: '2026-11-01T00:00:00Z', to: '2026-11-01T09:30:00+01:00' });
});

test('groups are named with commas between, and an empty list of them is as good as none', () => {
  expect([{ group_by: 'day, model' }, { group_by: '' }].map((query) => queryOf('getUsage', query).group_by)).toEqual([['day', 'model'], []]);
  expect(bad(() => queryOf('getUsage', { group_by: 'day,colour' }))).toEqual(refused('group_by', 'write some of minute, hour, day, week, month, tenant, key, user, model, requested_model, provider, endpoint, cache, price_version, tag, with commas between'));
  expect(bad(() => queryOf('getUsage', { group_by: 'day,day' }))).toEqual(refused('group_by', 'name each group once'));
});
