import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS } from '@deja/admin-api';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { ask, eventually, sdk } from './client.ts';
import { pythonWith } from './python.ts';
import { newKeyWithId } from './tenant-keys.ts';

const run = promisify(execFile);
const CLIENTS = join(import.meta.dirname, '..', 'clients');
const RUN_MS = 240_000;

/** The events that schemathesis writes, as far as they are looked at here. */
interface Event {
  ScenarioFinished?: { recorder: { label: string; interactions: Record<string, { response: { status_code: number } | null }> } };
}

const programs = await pythonWith(join(CLIENTS, 'schemathesis-requirements.txt'), 'Made-up calls of the admin API are');

let provider: FakeProvider;
let cluster: TestCluster;
let directory: string;
let cacheEntry: string;
let clientKey: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'deja-schemathesis-'));
  provider = await fakeProvider();
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: ['gpt-4o-mini', '*'].map((name) => ({ name, deployments: [{ provider: 'fake', model: name }] })),
      outbound: { allow: ['127.0.0.1'] },
    },
  });
  // Something for the ledger and the caches to show.
  const answered = (user: string): Promise<string | null> => sdk(cluster).chat.completions.create({ model: 'gpt-4o-mini', user, messages: ask('A question for the contract.') }).withResponse().then(({ response }) => response.headers.get('x-cache-entry'));
  clientKey = (await newKeyWithId(cluster, 'default')).id;
  cacheEntry = await eventually('a cached answer', () => answered('someone'));
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await rm(directory, { recursive: true, force: true });
});

/** What schemathesis finds wrong with all that it has tried, and the statuses of the answers by operation. */
async function tried(program: string): Promise<{ failure: string | null; statuses: Map<string, Set<number>> }> {
  const events = join(directory, 'events.ndjson');
  const options = ['--header', `Authorization: Bearer ${cluster.adminKey}`, '--phases', 'coverage,fuzzing', '--max-examples', '4', '--report', 'ndjson', '--report-ndjson-path', events, '--output-truncate', 'false', '--no-color'];
  // It looks for the hooks, and leaves its notes, where it is started.
  const failure = await run(program, ['--config-file', join(CLIENTS, 'schemathesis.toml'), 'run', `${cluster.url}/admin/v1/openapi.json`, ...options], {
    cwd: directory, timeout: RUN_MS, maxBuffer: 64 * 1024 * 1024, env: { PATH: process.env['PATH'] ?? '', HOME: directory, SCHEMATHESIS_HOOKS: join(CLIENTS, 'schemathesis_hooks.py'), CACHE_ENTRY: cacheEntry, CLIENT_KEY: clientKey, RECEIVER: provider.url, PYTHONDONTWRITEBYTECODE: '1' },
  }).then(() => null, (error: { stdout?: string; stderr?: string } & Error) => `${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  const statuses = new Map<string, Set<number>>();
  for (const line of (await readFile(events, 'utf8').catch(() => '')).split('\n').filter((text) => text !== '')) {
    const { ScenarioFinished: scenario } = JSON.parse(line) as Event;
    for (const { response } of Object.values(scenario?.recorder.interactions ?? {})) {
      const label = scenario?.recorder.label ?? '';
      if (response !== null) statuses.set(label, (statuses.get(label) ?? new Set()).add(response.status_code));
    }
  }
  return { failure, statuses };
}

async function expectContract(program: string): Promise<void> {
  const { failure, statuses } = await tried(program);
  expect(failure).toBeNull();
  const labels = ADMIN_OPERATIONS.map(({ method, path }) => `${method} /${path}`);
  expect(labels.filter((label) => !statuses.has(label))).toEqual([]);
  // Each also went well, so that it was looked at what it answers then.
  expect(labels.filter((label) => ![200, 201].some((status) => statuses.get(label)?.has(status)))).toEqual([]);
}

describe('the admin API does what its OpenAPI description says', () => {
  const title = 'for more than a thousand calls that were made of it, right ones and wrong ones: none is a 5xx, every answer is as described, and what is wrong is refused';
  (programs === null ? test.skip : test)(title, () => expectContract(join(programs ?? '', 'schemathesis')), RUN_MS + 10_000);
});
