import { execFile } from 'node:child_process';
import { describeWithRuntime, REQUIREMENT } from './runtime.ts';

const THREAD = new URL('../src/neural/inference-thread.ts', import.meta.url);
const MODEL = new URL('../../../models/verifier/verifier.int8.onnx', import.meta.url);

/** Runs a program in which `thread` holds the verifier that ships, and `longRun(deadlineMs)` asks for what takes it some hundred milliseconds. */
function ending(body: string): Promise<{ code: unknown; output: string }> {
  const program = `
    import { InferenceThread } from ${JSON.stringify(THREAD.href)};
    const { thread } = await InferenceThread.open({ model: new URL(${JSON.stringify(MODEL.href)}), sha256: null, logger: console });
    const numbers = (x) => ({ dims: [40, 120], data: new Int32Array(40 * 120).fill(x) });
    const longRun = (deadlineMs) => thread.run({ feeds: { input_ids: numbers(2010), attention_mask: numbers(1), token_type_ids: numbers(0) }, fetch: ['logit'] }, { deadlineMs });
    ${body}`;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '--eval', program], { timeout: 28_000 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : (error.signal ?? error.code), output: stdout + stderr }));
  });
}

describeWithRuntime(`the end of a process with a neural model, ${REQUIREMENT}`, () => {
  test('a model that nobody closed keeps no process alive', async () => {
    expect(await ending(`console.log('end');`)).toEqual({ code: 0, output: 'end\n' });
  });

  test('an answer that somebody waits for does', async () => {
    expect(await ending(`console.log(String((await longRun(25_000)).outputs.logit.dims));`)).toEqual({ code: 0, output: '40\n' });
  });

  // The runtime aborts a process whose thread is stopped in a run.
  test.each([
    ['ends by itself', ''],
    ['exits', 'process.exit(0);'],
    ['closes the model', 'await thread.close();'],
  ])('a process that %s in the middle of a run ends in peace', async (_, how) => {
    expect(await ending(`console.log((await longRun(1)).failure); ${how}`)).toEqual({ code: 0, output: 'late\n' });
  });
});
