// Runs one ONNX model in a thread of its own, so that a slow run never holds up requests. Started by InferenceThread; a file
// of its own in a bundle too, because a thread is started by a file's URL.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type * as Onnx from 'onnxruntime-node';
import { IDLE, RUNNING, type Floats, type Job, type LoadedModel, type ThreadMessage, type ThreadStart, type WholeNumbers } from './inference-protocol.ts';

type Runtime = Pick<typeof Onnx, 'InferenceSession' | 'Tensor'>;

const ERRORS_ONLY = 3;

if (parentPort !== null) await serve(parentPort, workerData as ThreadStart);

async function serve(port: MessagePort, { model, sha256, state }: ThreadStart): Promise<void> {
  const tell = (message: ThreadMessage): void => port.postMessage(message);
  const running = new Int32Array(state);
  let runtime: Runtime;
  let session: Onnx.InferenceSession;
  try {
    runtime = await loadRuntime();
    const found = await checksum(model);
    if (sha256 !== null && found !== sha256) throw new Error(`The model file ${basename(model)} is not the one its manifest describes; fetch the repository again.`);
    session = await load(runtime, model, running);
    tell({ kind: 'loaded', model: { sha256: found, ...namesOf(session) } });
  } catch (error) {
    tell({ kind: 'failed', reason: messageOf(error) });
    return;
  }
  port.on('message', (job: Job) => {
    run(runtime, session, job, running).then(
      (outputs) => tell({ kind: 'answer', outputs }),
      (error: unknown) => tell({ kind: 'refused', reason: messageOf(error) }),
    );
  });
}

async function loadRuntime(): Promise<Runtime> {
  try {
    return (await import('onnxruntime-node')).default;
  } catch (error) {
    const reason = messageOf(error);
    const platform = `${process.platform}-${process.arch}`;
    if (reason.includes('onnxruntime_binding')) throw new Error(`The package onnxruntime-node has no binary for ${platform}.`, { cause: error });
    const { code } = error as NodeJS.ErrnoException;
    const absent = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    throw new Error(absent ? 'The optional package onnxruntime-node is not installed.' : `The package onnxruntime-node does not run on ${platform}: ${reason}`, { cause: error });
  }
}

/** Of the file and, because large models keep their weights in files beside it (`model.onnx_data`), of those, by name. */
async function checksum(model: string): Promise<string> {
  const folder = dirname(model);
  const name = basename(model);
  const weights = (await readdir(folder).catch(() => [])).filter((file) => file.startsWith(name) && /^[._]data/.test(file.slice(name.length)));
  const hash = createHash('sha256');
  try {
    for (const file of [name, ...weights.sort()]) {
      for await (const chunk of createReadStream(join(folder, file))) hash.update(chunk as Buffer);
    }
  } catch (error) {
    throw new Error(`The model file ${model} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return hash.digest('hex');
}

async function load(runtime: Runtime, model: string, running: Int32Array): Promise<Onnx.InferenceSession> {
  try {
    return await uninterrupted(running, () => runtime.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: ERRORS_ONLY }));
  } catch (error) {
    throw new Error(`The file ${model} is not a model that onnxruntime can run: ${messageOf(error)}`, { cause: error });
  }
}

function namesOf({ inputNames, outputNames }: Onnx.InferenceSession): Pick<LoadedModel, 'inputs' | 'outputs'> {
  return { inputs: [...inputNames], outputs: [...outputNames] };
}

async function run(runtime: Runtime, session: Onnx.InferenceSession, { feeds, fetch }: Job, running: Int32Array): Promise<Record<string, Floats>> {
  const types = new Map(session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : 'int64']));
  const tensors = Object.fromEntries(Object.entries(feeds).map(([name, numbers]) => [name, tensorOf(runtime, numbers, types.get(name) === 'int32')]));
  const results = await uninterrupted(running, () => session.run(tensors, [...fetch]));
  return Object.fromEntries(fetch.map((name) => {
    const result = results[name];
    if (!(result?.data instanceof Float32Array)) throw new TypeError(`the model's output ${name} is not float32`);
    return [name, { dims: [...result.dims], data: result.data }];
  }));
}

function tensorOf(runtime: Runtime, { dims, data }: WholeNumbers, short: boolean): Onnx.Tensor {
  return short ? new runtime.Tensor('int32', data, dims) : new runtime.Tensor('int64', BigInt64Array.from(data, BigInt), dims);
}

/** The runtime aborts the whole process when its thread is stopped in the middle of a run; whoever stops it looks here first. */
async function uninterrupted<T>(running: Int32Array, task: () => Promise<T>): Promise<T> {
  Atomics.store(running, 0, RUNNING);
  try {
    return await task();
  } finally {
    Atomics.store(running, 0, IDLE);
    Atomics.notify(running, 0);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
