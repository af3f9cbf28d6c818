// Stands in for inference-worker.ts without a runtime: what a job's first number asks for is what happens.
import { parentPort, workerData } from 'node:worker_threads';
import { IDLE, type Job, type ThreadMessage, type ThreadStart } from '../src/neural/inference-protocol.ts';

/** `COUNT` answers with the number of jobs seen; `HOLD` does so once the channel that is named like the model's path says something. */
export const COUNT = 1;
export const CRASH = 2;
export const HANG = 3;
export const HOLD = 4;
export const REFUSE = 5;

if (parentPort !== null) serve(parentPort, workerData as ThreadStart);

function serve(port: NonNullable<typeof parentPort>, { model, state }: ThreadStart): void {
  const tell = (message: ThreadMessage): void => port.postMessage(message);
  if (model.includes('absent')) return tell({ kind: 'failed', reason: 'There is no such model.' });
  const channel = new BroadcastChannel(model);
  const running = new Int32Array(state);
  let jobs = 0;
  tell({ kind: 'loaded', model: { sha256: '00', inputs: ['script'], outputs: ['jobs'] } });
  port.on('message', ({ feeds }: Job) => {
    Atomics.store(running, 0, IDLE);
    Atomics.notify(running, 0);
    jobs++;
    const answer = (): void => tell({ kind: 'answer', outputs: { jobs: { dims: [1], data: Float32Array.of(jobs) } } });
    const script = feeds['script']?.data[0];
    if (script === CRASH) throw new Error('broken by its script');
    if (script === REFUSE) tell({ kind: 'refused', reason: 'as its script says' });
    if (script === COUNT) answer();
    if (script === HOLD) channel.onmessage = answer;
  });
}
