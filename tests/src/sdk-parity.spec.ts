import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { pythonWith } from './python.ts';

const run = promisify(execFile);
const CLIENTS = join(import.meta.dirname, '..', 'clients');
const RUN_MS = 120_000;
const MEANT_TO_FAIL = /^refused: |: retrieve what was deleted$|: cancel what is done$/;

interface Outcome {
  name: string;
  result?: unknown;
  error?: { class: string; status: number | null };
}

/** OpenAI's official clients: the command that makes all calls, to which the base URL and the key are added. */
interface Sdk {
  name: string;
  /** null: it cannot be run here. */
  command: string[] | null;
}

const python = await pythonWith(join(CLIENTS, 'requirements.txt'), 'The calls of OpenAI’s Python SDK are');
const SDKS: Sdk[] = [
  { name: 'the Node SDK', command: [process.execPath, '--disable-warning=ExperimentalWarning', join(CLIENTS, 'openai-node.ts')] },
  ...['sync', 'async'].map((kind) => ({
    name: `the Python SDK (${kind})`,
    command: python === null ? null : [join(python, 'python'), '-B', '-W', 'ignore', join(CLIENTS, 'openai_python.py'), kind],
  })),
];

async function outcomes(command: string[], baseURL: string, key: string): Promise<Outcome[]> {
  const [program = '', ...args] = command;
  const { stdout } = await run(program, [...args, baseURL, key], { timeout: RUN_MS, maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout) as Outcome[];
}

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider({ models: ['gpt-4o-mini'] });
  const credentials = [{ name: 'a', value: 'sk-upstream-a' }, { name: 'b', value: 'sk-upstream-b' }];
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials } },
      models: ['gpt-4o-mini', '*'].map((name) => ({ name, deployments: [{ provider: 'fake', model: name }] })),
    },
  });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

describe('OpenAI’s own clients cannot tell deja from the provider', () => {
  for (const { name, command } of SDKS) {
    (command === null ? test.skip : test)(`every call of ${name} gives what it gives without deja, field for field`, () => expectParity(command ?? []), 2 * RUN_MS);
  }
});

async function expectParity(command: string[]): Promise<void> {
  const direct = await outcomes(command, provider.url, 'sk-direct');
  const through = await outcomes(command, `${cluster.url}/v1`, cluster.key);
  expect(through.map((outcome) => outcome.name)).toEqual(direct.map((outcome) => outcome.name));
  // Only what differs, so that a failure shows just that.
  const differing = new Set(through.filter((outcome, i) => !isDeepStrictEqual(outcome, direct[i])).map((outcome) => outcome.name));
  const shown = (all: Outcome[]): Outcome[] => all.filter((outcome) => differing.has(outcome.name));
  expect(shown(through)).toEqual(shown(direct));
  // What fails on both sides alike would prove nothing: only what is meant to fail may.
  const failed = direct.filter((outcome) => outcome.error !== undefined).map((outcome) => outcome.name);
  expect(failed).toEqual(direct.map((outcome) => outcome.name).filter((name) => MEANT_TO_FAIL.test(name)));
}
