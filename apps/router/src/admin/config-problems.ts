import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { checkConfig, type Environment } from '@deja/config';
import type { ReplyOf } from '@deja/admin-api';
import { Turns } from './turns.ts';

type Verdict = ReplyOf<'validateConfig'>;
type Checked = ReturnType<typeof checkConfig>;

/** What the thread is given. */
export interface ConfigCheck {
  yaml: string;
  environment: Pick<Environment, 'openaiApiKeys' | 'openaiBaseUrl'>;
}

const WORKER = new URL(`./config-check-worker${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
/** Characters that are checked at once, in some milliseconds. A thread would take longer to begin. */
const SHORT = 16_384;
/** More threads than one would take the processor from what the router is there for. */
const turns = new Turns(1);

/**
 * Whether a deja.yaml would do here. Who may ask need not be one who may read the files and the environment of this machine, so none is looked at: not for a
 * sentence, and not for the verdict, by which somebody could find out about a value question by question. A long one is checked in a thread of its own.
 */
export async function configVerdict(yaml: string, { openaiApiKeys, openaiBaseUrl }: ConfigCheck['environment']): Promise<Verdict> {
  const check = { yaml, environment: { openaiApiKeys, openaiBaseUrl } };
  const { errors, warnings } = yaml.length <= SHORT ? checkConfig(yaml, check.environment) : await turns.take(() => checkedApart(check));
  return { valid: errors.length === 0, errors, warnings };
}

function checkedApart(check: ConfigCheck): Promise<Checked> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { workerData: check, name: 'config check' });
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the thread that checks a configuration ended without an answer')));
  });
}
