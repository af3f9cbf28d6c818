import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deja, type Given } from './command-line.ts';
import { alert, alertEvent, alertState, delivery, ID, list, silence } from './objects.ts';
import { ScriptedAdminApi } from './scripted-admin-api.ts';

let api: ScriptedAdminApi;
beforeEach(async () => {
  api = await ScriptedAdminApi.start();
  api.script.createAlert = () => ({ json: alert() });
  api.script.getAlert = () => ({ json: alert(), etag: '"1"' });
  api.script.updateAlert = () => ({ json: alert() });
});
afterEach(() => api.close());
const run = (line: string, given: Omit<Given, 'api'> = {}) => deja(line.split(' '), { api, ...given });
const rowsOf = (out: string): string[][] => out.trimEnd().split('\n').map((line) => line.trim().split(/ {2,}/));

describe('a rule', () => {
  test('is made of options, in the units that people use', async () => {
    const line = 'alerts create slow --metric latency_ms --above 4000 --percentile 95 --window 5m --min-requests 20 --for 1m --clear 10m --tenant * --model gpt-4o --webhook https://hooks.example.com/deja --slack https://hooks.slack.example.com/T1 '
      + '--email a@example.com --email b@example.com --group-by tenant,model --repeat 4h --disabled';
    expect(await run(line)).toMatchObject({ code: 0, err: '' });
    expect(api.seen.map(({ body }) => body)).toEqual([{
      name: 'slow', enabled: false, when: { metric: 'latency_ms', above: 4000, percentile: 95, window_s: 300, min_requests: 20, for_s: 60, clear_s: 600, tenant: '*', model: 'gpt-4o' },
      notify: [{ webhook: 'https://hooks.example.com/deja' }, { slack: 'https://hooks.slack.example.com/T1' }, { email: ['a@example.com', 'b@example.com'] }], group_by: ['tenant', 'model'], repeat_s: 14_400,
    }]);
  });

  test('reads as it is typed, and its receivers as far as they may be seen', async () => {
    const { out } = await run(`alerts get ${ID}`);
    for (const text of ['when        latency_ms\n            above 4000\n            percentile 95\n            window 5m\n            for 1m\n            tenant *\n', 'notify      webhook hooks.example.com, signed\n            email ops@example.com\n', 'told again  never\n']) expect(out).toContain(text);
  });

  test('may come from a file, JSON or YAML; options go before it', async () => {
    const files = { 'rule.json': '{\n\t"name": "burn",\n\t"when": {"metric": "budget_used_share", "above": 0.5},\n\t"notify": [{"email": "a@example.com"}]}', 'rule.yaml': 'name: burn\nwhen: { metric: budget_used_share }\nnotify: [{ email: a@example.com }]\n' };
    await run('alerts create --file rule.json', { files });
    await run('alerts create hot --file rule.yaml --above 80% --tenant acme', { files });
    await deja(['alerts', 'create', '--file', '-'], { api, stdin: files['rule.yaml'] });
    expect(api.seen.map(({ body }) => body)).toEqual([
      { name: 'burn', when: { metric: 'budget_used_share', above: 0.5 }, notify: [{ email: 'a@example.com' }] },
      { name: 'hot', when: { metric: 'budget_used_share', above: 0.8, tenant: 'acme' }, notify: [{ email: 'a@example.com' }] },
      { name: 'burn', when: { metric: 'budget_used_share' }, notify: [{ email: 'a@example.com' }] },
    ]);
    expect(await run('alerts create --file rule.json', { files: { 'rule.json': '- a list' } })).toMatchObject({ code: 2, err: expect.stringContaining('holds no alert rule') });
  });

  test('is changed in what is named: the rest of its condition stays, receivers are all new, and another metric begins anew', async () => {
    const changed = async (options: string): Promise<unknown> => {
      expect(await run(`alerts update ${ID} ${options}`)).toMatchObject({ code: 0 });
      expect(api.seen.at(-1)?.headers['if-match']).toBe('"1"');
      return api.seen.at(-1)?.body;
    };
    const { when } = alert();
    expect(await changed('--above 5000 --window default --all-tenants')).toEqual({ when: { metric: 'latency_ms', above: 5000, percentile: 95, for_s: 60 } });
    expect(await changed('--metric latency_ms --above 1000')).toEqual({ when: { ...when, above: 1000 } });
    expect(await changed('--metric error_rate --above 5%')).toEqual({ when: { metric: 'error_rate', above: 0.05 } });
    expect(await changed('--email c@example.com --repeat never --group-by none --name slower')).toEqual({ name: 'slower', notify: [{ email: ['c@example.com'] }], group_by: [], repeat_s: null });
    expect(await run(`alerts update ${ID}`)).toMatchObject({ code: 2, err: expect.stringContaining('Say what to change') });
  });

  test('is switched off and on by one word', async () => {
    api.script.updateAlert = ({ body }) => ({ json: alert({ enabled: (body as { enabled: boolean }).enabled }) });
    expect(await run(`alerts disable ${ID}`)).toMatchObject({ code: 0, out: 'Alert slow is disabled.\n' });
    expect(await run(`alerts enable ${ID}`)).toMatchObject({ code: 0, out: 'Alert slow is enabled.\n' });
  });

  test.each([
    ['create', 'Give the rule a name'], ['create slow', 'Say what is watched'], ['create slow --metric speed', 'Allowed choices are budget_used_share'], ['create slow --metric latency_ms --above fast', 'write a number, as 4000'],
    ['create slow --metric latency_ms --percentile 100', 'write a percentile'], ['create slow --metric latency_ms --window soon', 'write a duration'], ['create slow --metric latency_ms --tenant a --all-tenants', 'cannot be used with'],
    ['create slow --metric latency_ms --group-by colour', 'write some of tenant, key'], ['create slow --metric latency_ms --webhook-secret-file x', 'name it with --webhook'], ['silences create --until 2h', '--alert, --label, or --everything'],
    ['silences create --everything', "required option '--until <moment>'"], ['silences create --everything --alert x --until 2h', 'cannot be used with'], ['silences create --label colour=red --until 2h', 'write a label as tenant=acme'],
  ])('deja alerts %s is wrong usage, and calls nothing', async (line, message) => {
    const { code, err } = await run(`alerts ${line}`);
    expect([code, err.replaceAll(/\s+/g, ' '), api.seen]).toEqual([2, expect.stringContaining(message), []]);
  });
});

describe('the secret of a webhook', () => {
  const line = 'alerts create slow --metric error_rate --webhook https://hooks.example.com/deja';
  const body = { name: 'slow', when: { metric: 'error_rate' }, notify: [{ webhook: 'https://hooks.example.com/deja', secret: 's3cret' }] };

  test('comes from a file, standard input, or is asked for without an echo, and stands in no output', async () => {
    const ended = [
      await run(`${line} --webhook-secret-file hook`, { files: { hook: 's3cret\n' } }),
      await run(`${line} --webhook-secret-file -`, { stdin: 's3cret\n' }),
      await run(`${line} --webhook-secret-file -`, { typed: 's3cret\n', terminal: 200 }),
    ];
    expect(api.seen.map((call) => call.body)).toEqual([body, body, body]);
    for (const { code, out, err } of ended) expect([code, out + err]).toEqual([0, expect.not.stringContaining('s3cret')]);
  });

  test('so may the address of a receiver, whose path may be one', async () => {
    await run('alerts create slow --metric error_rate --slack -', { stdin: 'https://hooks.slack.example.com/T1/B2\n' });
    expect(api.seen[0]?.body).toMatchObject({ notify: [{ slack: 'https://hooks.slack.example.com/T1/B2' }] });
  });

  test('is no argument, and an empty one is none', async () => {
    expect(await run(`${line} --webhook-secret s3cret`)).toMatchObject({ code: 2 });
    expect(await run(`${line} --webhook-secret-file hook`, { files: { hook: '\n' } })).toMatchObject({ code: 2, err: 'deja: hook holds no secret.\n' });
    expect(api.seen).toEqual([]);
  });
});

describe('what became of alerts', () => {
  test('a test that reached everybody is good, and one that did not ends with 1', async () => {
    api.script.testAlert = () => ({ json: { object: 'alert_test', deliveries: [delivery()] } });
    expect(await run(`alerts test ${ID}`)).toMatchObject({ code: 0, out: expect.stringMatching(/webhook hooks\.example\.com, signed +delivered +1/) });
    api.script.testAlert = () => ({ json: { object: 'alert_test', deliveries: [delivery(), delivery({ receiver: { kind: 'slack', to: 'hooks.slack.example.com', signed: false }, state: 'waiting', error: 'HTTP 404', delivered_at: null })] } });
    expect(await run(`alerts test ${ID}`)).toMatchObject({ code: 1, out: expect.stringMatching(/slack hooks\.slack\.example\.com +waiting +1 +– +HTTP 404/), err: 'deja: Not all of them have it.\n' });
  });

  test('what fires is shown in the unit of its metric', async () => {
    api.script.listAlertStates = () => ({ json: list([alertState(), alertState({ alert: 'burn', state: 'firing', metric: 'budget_used_share', value: 0.8325, threshold: 0.8, labels: {} }), alertState({ alert: 'later', metric: 'of_tomorrow', value: 7, threshold: null })]) });
    expect(rowsOf((await run('alerts state')).out)).toEqual([
      ['ALERT', 'STATE', 'METRIC', 'VALUE', 'ABOVE', 'OF', 'SINCE (UTC)'], ['slow', 'pending', 'latency_ms', '4210 ms', '4000 ms', 'tenant=acme', '2026-01-02 03:04:05'],
      ['burn', 'firing', 'budget_used_share', '83.25%', '80%', '–', '2026-01-02 03:04:05'], ['later', 'pending', 'of_tomorrow', '7', '–', 'tenant=acme', '2026-01-02 03:04:05'],
    ]);
  });

  test('a figure that nobody has seen for two minutes is said to be of then', async () => {
    const seen = (seenAt: string) => alertState({ metric: 'error_rate', value: 0.57, seen_at: seenAt });
    api.script.listAlertStates = () => ({ json: list([seen('2026-01-09T23:58:00.000Z'), seen('2026-01-09T23:57:59.000Z')]) });
    expect(rowsOf((await run('alerts state')).out).slice(1).map((row) => row[3])).toEqual(['57%', 'last known 57% at 2026-01-09 23:57:59']);
  });

  test('what was told is shown with who has it', async () => {
    api.script.listAlertEvents = () => ({ json: list([alertEvent(), alertEvent({ test: true, deliveries: [delivery({ state: 'failed', error: 'HTTP 410' })] }), alertEvent({ silenced_by: ID, deliveries: [] })]) });
    const { out } = await run('alerts events --alert burn --from 7d');
    expect(api.seen[0]?.query).toEqual({ alert: 'burn', from: '2026-01-03T00:00:00.000Z', limit: '100' });
    expect(rowsOf(out).slice(1).map((row) => [row[1], ...row.slice(6)])).toEqual([['burn', 'webhook hooks.example.com: delivered', '–'], ['burn (test)', 'webhook hooks.example.com: failed (HTTP 410)', '–'], ['burn', '–', ID]]);
  });
});

test('a silence begins now unless said, ends when said, and is of what is named', async () => {
  api.script.createSilence = () => ({ json: silence() });
  expect(await run('alerts silences create --alert slow --label tenant=acme --until 2h --comment moving')).toMatchObject({ code: 0, out: `Silence ${ID}: nobody is told of alert slow about tenant=acme, until 2026-01-10 02:00 UTC.\n` });
  api.script.createSilence = () => ({ json: silence({ alert: null, labels: {} }) });
  expect((await run('alerts silences create --everything --from 1h --until 2026-01-10T04:00Z')).out).toContain('nobody is told of any alert, until');
  expect(api.seen.map(({ body }) => body)).toEqual([{ alert: 'slow', labels: { tenant: 'acme' }, ends_at: '2026-01-10T02:00:00.000Z', comment: 'moving' }, { labels: {}, starts_at: '2026-01-10T01:00:00.000Z', ends_at: '2026-01-10T04:00:00.000Z' }]);
});
