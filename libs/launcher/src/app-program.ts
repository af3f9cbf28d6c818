import { join } from 'node:path';
import type { AppName } from './scale.ts';

/** How one app is run. */
export interface AppProgram {
  command: string;
  args: string[];
  /** What its environment has unless it was set. */
  env: NodeJS.ProcessEnv;
}

/** glibc keeps an arena of memory for each thread, up to eight for each processor, and what was freed in one is none for the others. Images have the same: Dockerfile. */
const GATEWAY_ENV = { MALLOC_ARENA_MAX: '2' };

/** An app that was built, in the checkout at `root`; `main` is another build of it. */
export function appProgram(app: AppName, root: string, main: string = join(root, 'apps', app, 'out', 'main.mjs')): AppProgram {
  return { command: process.execPath, args: [main], env: app === 'gateway' ? GATEWAY_ENV : {} };
}
