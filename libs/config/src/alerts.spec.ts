import { expect, test } from '@jest/globals';
import { parseConfig } from './parse-config.ts';

const PROVIDER = 'providers:\n  local: { kind: openai, base_url: "http://127.0.0.1:9/v1" }\n';
const parsed = (yaml: string) => parseConfig(`${PROVIDER}${yaml}`, { openaiApiKeys: [], openaiBaseUrl: null, variables: { HOOK_SECRET: 'whsec' } });
const rule = (when: string, more = ''): string => `alerts: [{ name: burn, when: { ${when} }, notify: [{ webhook: "https://hooks.example.com/planted", secret: "\${env:HOOK_SECRET}" }]${more} }]\n`;

test('a rule of the file is complete, and whom it tells is a secret', () => {
  const read = parsed(`smtp: { url: "smtps://u:planted@mail.example.com", from: "deja <deja@example.com>" }\n${rule('metric: budget_used_share, above: 0.8', ', group_by: [tenant], repeat_s: 3600')}`);
  if (!read.ok) throw new Error(JSON.stringify(read.errors));
  const { alerts: [alert], smtp } = read.config;
  expect(alert?.rule).toEqual({ id: 'file:burn', name: 'burn', source: 'file', enabled: true, when: { metric: 'budget_used_share', above: 0.8 }, group_by: ['tenant'], repeat_s: 3600 });
  expect(alert?.receivers.map(({ kind, value }) => [kind, JSON.parse(value.reveal())])).toEqual([['webhook', { kind: 'webhook', url: 'https://hooks.example.com/planted', secret: 'whsec' }]]);
  expect(JSON.parse(smtp?.reveal() ?? '')).toEqual({ url: 'smtps://u:planted@mail.example.com', from: 'deja <deja@example.com>' });
  expect(JSON.stringify([read.config.alerts, smtp])).not.toMatch(/planted|whsec/);
});

test.each([
  ['error_rate, above: 80', 'write a share from 0 to 1, as 0.8 for 80 % (the command line takes 80%)'],
  ['cost_spike, above: 0', 'write how many times as much as usual is too much, 1 or more, as 3'],
  ['ledger_drift, above: -1', 'write a number of 0 or more'],
  ['queue_lag_s, above: .nan', 'must be a number, but it is .nan, which is none'],
  ['queue_lag_s, above: .inf', 'must be a number, but it is infinite'],
])('the threshold of %s is refused, with what to write', (when, message) => {
  const read = parsed(rule(`metric: ${when}`));
  expect(read.ok ? [] : read.errors.map((error) => [error.path, error.message])).toEqual([['alerts[0].when.above', message]]);
});

test.each([
  ['a metric that there is not', rule('metric: budget_used'), 'alerts[0].when.metric'],
  ['latency without a threshold', rule('metric: latency_ms'), 'alerts[0].when.above'],
  ['a percentile of what has none', rule('metric: error_rate, percentile: 95'), 'alerts[0].when.percentile'],
  ['two of one name', `alerts: [{ name: a, when: { metric: new_model }, notify: [{ slack: "https://x.example" }] }, { name: a, when: { metric: new_user }, notify: [{ slack: "https://x.example" }] }]\n`, 'alerts[1].name'],
  ['nobody to tell', 'alerts: [{ name: a, when: { metric: new_model }, notify: [] }]\n', 'alerts[0].notify'],
  ['e-mail without a server', 'alerts: [{ name: a, when: { metric: new_model }, notify: [{ email: ops@example.com }] }]\n', 'alerts[0].notify[0].email'],
  ['a secret for Slack', 'alerts: [{ name: a, when: { metric: new_model }, notify: [{ slack: "https://x.example", secret: s }] }]\n', 'alerts[0].notify[0]'],
  ['an address that is none', 'alerts: [{ name: a, when: { metric: new_model }, notify: [{ webhook: "https://[/x" }] }]\n', 'alerts[0].notify[0].webhook'],
])('a rule with %s is refused, with its place', (_what, yaml, path) => {
  const read = parsed(yaml);
  expect(read.ok ? [] : read.errors.map((error) => error.path)).toContain(path);
});
