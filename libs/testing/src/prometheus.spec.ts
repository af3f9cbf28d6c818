import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { promtool } from './prometheus-programs.ts';
import { Prometheus } from './prometheus.ts';

const INSTALLATION_MS = 180_000;

let directory: string;
let rules: string;
let server: Server;
let scrapes = 0;
let prometheus: Prometheus;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'deja-rules-'));
  rules = join(directory, 'rules.yaml');
  await writeFile(rules, 'groups: [{ name: twice, rules: [{ record: "scrapes:twice", expr: 2 * scrapes }] }]\n');
  server = createServer((_, response) => response.setHeader('content-type', 'text/plain').end(`# TYPE scrapes gauge\nscrapes{kind="test"} ${++scrapes}\n`));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  prometheus = await Prometheus.start({ targets: { fake: [`127.0.0.1:${(server.address() as AddressInfo).port}`] }, ruleFiles: [rules] });
}, INSTALLATION_MS);
afterAll(async () => {
  await prometheus?.stop();
  server?.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a Prometheus of a test’s own', () => {
  test('scrapes its targets, evaluates its rules, and tells of both', async () => {
    const [twice] = await eventually('the recorded series', async () => { const found = await prometheus.query('scrapes:twice'); return found.length > 0 && found; });
    expect(twice).toMatchObject({ labels: { __name__: 'scrapes:twice', job: 'fake', kind: 'test' }, points: [{ value: expect.any(Number) }] });
    expect(await prometheus.labelValues('kind', 'scrapes')).toEqual(['test']);
    expect(await prometheus.rules()).toMatchObject([{ group: 'twice', name: 'scrapes:twice', type: 'recording', query: '2 * scrapes', health: 'ok', error: '' }]);
    const nowS = Date.now() / 1000;
    const range = await prometheus.queryRange('scrapes', { fromS: nowS - 60, toS: nowS + 1, stepS: 1 });
    expect(range[0]!.points.length).toBeGreaterThan(0);
  });

  test('says why it cannot evaluate an expression', async () => {
    await expect(prometheus.query('sum(')).rejects.toThrow(/parse error/);
  });

  test('does not start with rules that are none, and says why', async () => {
    const broken = join(directory, 'broken.yaml');
    await writeFile(broken, 'groups: [{ name: broken, rules: [{ record: "a:b", expr: "sum(" }] }]\n');
    await expect(Prometheus.start({ targets: {}, ruleFiles: [broken] })).rejects.toThrow(/parse error|unclosed/);
  });
});

test('promtool’s verdict is told with what it said', async () => {
  expect(await promtool(['check', 'rules', rules])).toMatchObject({ code: 0, text: expect.stringContaining('1 rules found') });
  expect((await promtool(['check', 'rules', join(directory, 'missing.yaml')])).code).not.toBe(0);
});
