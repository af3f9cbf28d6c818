import { expect, test } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ERRORS } from '@deja/contracts';
import { promtool } from '@deja/testing';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..', '..');
const PROMETHEUS = join(ROOT, 'deploy', 'prometheus');
const INSTALLATION_MS = 180_000;

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

async function rulesIn(file: string): Promise<Rule[]> {
  const { groups } = parse(await readFile(join(PROMETHEUS, 'rules', file), 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

const alerts = async (): Promise<Required<Omit<Rule, 'record'>>[]> => (await rulesIn('alerts.yaml')) as Required<Rule>[];

/** Headings of a document as links name them. */
async function anchorsOf(document: string): Promise<Map<string, string>> {
  const text = await readFile(join(ROOT, 'docs', document), 'utf8');
  const sections = text.split(/^##+ /m).slice(1);
  return new Map(sections.map((section) => [section.split('\n')[0]!.toLowerCase().replaceAll(' ', '-'), section.split('\n').slice(1).join('\n')]));
}

test('Prometheus takes the rules, and the configuration that names them', async () => {
  const ran = await Promise.all([['check', 'config', 'prometheus.yaml'], ['check', 'rules', 'rules/recording.yaml', 'rules/alerts.yaml']].map((args) => promtool(args, PROMETHEUS)));
  expect(ran.filter(({ code }) => code !== 0).map(({ text }) => text)).toEqual([]);
}, INSTALLATION_MS);

test('every alert fires when it should, and does not when it should not', async () => {
  const folder = join(PROMETHEUS, 'rules', 'tests');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  const ran = await Promise.all(files.map((file) => promtool(['test', 'rules', file], folder)));
  expect(ran.filter(({ code }) => code !== 0).map(({ text }) => text)).toEqual([]);
  const tested = (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))).join('\n');
  const firing = (name: string, value: number): RegExp => new RegExp(`alertname="${name}", alertstate="firing"\\}\\) or vector\\(0\\)[^\\n]*value: ${value}`);
  const untested = (await alerts()).map(({ alert }) => alert).filter((name) => !firing(name, 0).test(tested) || !firing(name, 1).test(tested));
  expect(untested).toEqual([]);
}, INSTALLATION_MS);

test('every alert says how bad it is, what it means and where its runbook is, which has a section of its own for it', async () => {
  const sections = await anchorsOf('runbooks.md');
  for (const { alert, labels, annotations } of await alerts()) {
    expect(labels['severity']).toMatch(/^(critical|warning|info)$/);
    expect(annotations).toEqual({ summary: expect.any(String), description: expect.any(String), runbook_url: `docs/runbooks.md#${alert.toLowerCase()}` });
    for (const part of ['**Means.**', '**Users.**', '**Find.**', '**Do.**']) expect([alert, part, sections.get(alert.toLowerCase())?.includes(part)]).toEqual([alert, part, true]);
  }
});

test('the error budget counts every code that no client is to blame for', async () => {
  const blameless = Object.entries(ERRORS).filter(([code, { status }]) => (status >= 500 && code !== 'cache_miss') || code === 'provider_rate_limited').map(([code]) => code);
  const counted = (await rulesIn('recording.yaml')).flatMap(({ expr }) => [...expr.matchAll(/error=~"([^"]+)"/g)].map(([, codes]) => codes!.split('|').sort()));
  expect(counted.length).toBeGreaterThan(5);
  for (const codes of counted) expect(codes).toEqual(blameless.sort());
});

test('every recording rule is used, or named in docs/dashboards.md', async () => {
  const [dashboards, alertsText, recordingText, document] = await Promise.all([
    readdir(join(ROOT, 'deploy', 'grafana', 'dashboards')).then((names) => Promise.all(names.map((name) => readFile(join(ROOT, 'deploy', 'grafana', 'dashboards', name), 'utf8')))),
    readFile(join(PROMETHEUS, 'rules', 'alerts.yaml'), 'utf8'),
    rulesIn('recording.yaml').then((rules) => rules.map(({ expr }) => expr)),
    readFile(join(ROOT, 'docs', 'dashboards.md'), 'utf8'),
  ]);
  const used = [...dashboards, alertsText, ...recordingText, document].join('\n');
  expect((await rulesIn('recording.yaml')).map(({ record }) => record!).filter((name) => !used.includes(name))).toEqual([]);
});
