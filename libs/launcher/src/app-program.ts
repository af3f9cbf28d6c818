import { join } from 'node:path';
import type { AppName } from './scale.ts';

/** How one app is run. */
export interface AppProgram {
  command: string;
  args: string[];
  /** What its environment has unless it was set. */
  env: NodeJS.ProcessEnv;
}

/**
 * What Node is told for a gateway, measured by bench/memory.ts with 500 open streams: three quarters of the memory under load, half of it at rest, for at most a few percent of the processor time. Its young objects may
 * take 2 × 16 MB (V8's own choice is 2 × 64), and the old ones are looked through when they have grown by half (else when they have by up to three times: V8 takes
 * most of the machine's memory for its own). Images are started the same way: Dockerfile.
 */
const GATEWAY_FLAGS = ['--max-semi-space-size=16', '--heap-growing-percent=50'];
/** glibc keeps an arena of memory for each thread, up to eight for each processor, and what was freed in one is none for the others. */
const GATEWAY_ENV = { MALLOC_ARENA_MAX: '2' };

/** An app that was built, in the checkout at `root`; `main` is another build of it. */
export function appProgram(app: AppName, root: string, main: string = join(root, 'apps', app, 'out', 'main.mjs')): AppProgram {
  const isGateway = app === 'gateway';
  return { command: process.execPath, args: [...(isGateway ? GATEWAY_FLAGS : []), main], env: isGateway ? GATEWAY_ENV : {} };
}
