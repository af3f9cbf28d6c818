import { serve } from '../serve.ts';
import { startUpSentence } from '../start-up-error.ts';
import { say, WorkerFront } from './worker-front.ts';

/** A worker, from its start to its end. When it cannot start it tells the primary process, which says so once for all of them. */
export async function serveAsWorker(): Promise<void> {
  try {
    await serve(new WorkerFront());
  } catch (error) {
    say({ kind: 'failed', because: startUpSentence(error) }, () => process.exit(1));
  }
}
