import { InferenceThread, restartPauseMs, type InferenceOptions, type Outcome } from '../src/neural/inference-thread.ts';
import { COUNT, CRASH, HANG, HOLD, REFUSE } from './scripted-worker.ts';

const PATIENT_MS = 25_000;
const opened: InferenceThread[] = [];
const warnings: object[] = [];
let models = 0;

afterEach(async () => {
  await Promise.all(opened.splice(0).map((thread) => thread.close()));
  warnings.length = 0;
});

interface Scripted {
  ask: (script: number, options?: { deadlineMs?: number; signal?: AbortSignal; late?: (jobs: number) => void }) => Promise<string | number>;
  release: () => void;
  thread: InferenceThread;
}

/** A thread that answers with the number of jobs it saw, or the reason why there is no answer. */
async function scripted(options: Partial<InferenceOptions> = {}): Promise<Scripted> {
  const model = new URL(`file:///scripted-${process.pid}-${models++}`);
  const { thread } = await InferenceThread.open({ model, sha256: null, logger: { warn: (fields) => warnings.push(fields) }, worker: new URL('./scripted-worker.ts', import.meta.url), restartMs: 1, ...options });
  opened.push(thread);
  const jobs = (outputs: NonNullable<Outcome['outputs']>): number => outputs['jobs']!.data[0]!;
  return {
    thread,
    ask: async (script, { deadlineMs = PATIENT_MS, signal, late } = {}) => {
      const job = { feeds: { script: { dims: [1], data: Int32Array.of(script) } }, fetch: ['jobs'] };
      const { outputs, failure } = await thread.run(job, { deadlineMs, signal, ...(late && { late: (answer) => late(jobs(answer)) }) });
      return outputs === null ? failure : jobs(outputs);
    },
    release: () => {
      const channel = new BroadcastChannel(model.pathname);
      channel.postMessage('go on');
      channel.close();
    },
  };
}

test('a thread that hangs costs the deadline, and then nothing: new jobs are refused at once', async () => {
  const { ask } = await scripted({ stalledMs: 0 });
  expect(await ask(HANG, { deadlineMs: 20 })).toBe('late');
  expect(await ask(COUNT)).toBe('busy');
});

test('a job whose deadline passes while it waits is dropped, not computed', async () => {
  const { ask, release } = await scripted();
  const first = ask(HOLD);
  const dropped = ask(COUNT, { deadlineMs: 1 });
  const last = ask(COUNT);
  expect(await dropped).toBe('late');
  release();
  expect(await first).toBe(1);
  expect(await last).toBe(2);
});

test('a job that nobody waits for any more is dropped', async () => {
  const { ask, release } = await scripted();
  const leaving = new AbortController();
  const first = ask(HOLD);
  const dropped = ask(COUNT, { signal: leaving.signal });
  leaving.abort();
  expect(await dropped).toBe('aborted');
  expect(await ask(COUNT, { signal: leaving.signal })).toBe('aborted');
  release();
  expect(await first).toBe(1);
  expect(await ask(COUNT)).toBe(2);
});

test('the answer to a job that was late is not lost', async () => {
  const { ask, release } = await scripted();
  const { promise, resolve } = Promise.withResolvers<number>();
  expect(await ask(HOLD, { deadlineMs: 1, late: resolve })).toBe('late');
  release();
  expect(await promise).toBe(1);
});

test('when too many wait, one more is refused at once', async () => {
  const { ask, release } = await scripted({ maxWaiting: 2 });
  const accepted = [ask(HOLD), ask(COUNT), ask(COUNT)];
  expect(await ask(COUNT)).toBe('busy');
  release();
  expect(await Promise.all(accepted)).toEqual([1, 2, 3]);
});

test('a thread that breaks down is started again, and what waited for it gets its answer at once', async () => {
  const { ask } = await scripted();
  const [broken, waiting] = [ask(CRASH), ask(COUNT)];
  expect(await broken).toBe('down');
  expect(await waiting).toBe('down');
  let answer: string | number = 'down';
  for (const endMs = Date.now() + PATIENT_MS; answer === 'down' && Date.now() < endMs; await new Promise(setImmediate)) answer = await ask(COUNT);
  expect(answer).toBe(1);
  expect(warnings).toEqual([{ reason: expect.stringContaining('broken by its script') as string, pause_ms: 1 }]);
});

test('what a model refuses harms no other job', async () => {
  const { ask } = await scripted();
  expect(await ask(REFUSE)).toBe('refused');
  expect(await ask(COUNT)).toBe(2);
});

test('a thread that is closed answers nobody, those who wait included', async () => {
  const { ask, thread } = await scripted();
  const waiting = [ask(HANG), ask(COUNT)];
  await thread.close();
  expect(await Promise.all(waiting)).toEqual(['down', 'down']);
  expect(await ask(COUNT)).toBe('down');
  await thread.close();
});

test('a model that cannot be loaded is an error with the reason', async () => {
  await expect(scripted({ model: new URL('file:///absent') })).rejects.toThrow('There is no such model.');
  await expect(scripted({ worker: new URL('./no-such-worker.ts', import.meta.url) })).rejects.toThrow('no-such-worker.ts');
});

test('the pauses between starts grow, up to a minute', () => {
  expect([0, 1, 2, 5, 6, 2000].map((n) => restartPauseMs(n, 1000))).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000]);
});
