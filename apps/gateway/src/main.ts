import { gatewayWorkers } from '@deja/config';
import { startUpSentence } from './start-up-error.ts';
import { workerCount } from './workers/machine-share.ts';
import { isWorker } from './workers/worker-arguments.ts';

/** Only what this process is to be is loaded: a primary process has no use for the pipeline, nor a gateway that is one process for workers. */
async function start(): Promise<void> {
  if (isWorker()) return (await import('./workers/worker.ts')).serveAsWorker();
  const workers = workerCount(gatewayWorkers(process.env));
  if (workers === 1) return (await import('./serve.ts')).serve();
  return (await import('./workers/primary.ts')).startPrimary(workers);
}

start().catch((error: unknown) => {
  process.stderr.write(`${startUpSentence(error)}\n`);
  process.exit(1);
});
