#!/usr/bin/env node
// `npx deja …` and `npm run deja -- …`: the command line of apps/cli, under the project's own Node. Plain JavaScript, for whatever Node the machine has.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError, projectNode, ROOT } from './bootstrap.mjs';

const PROGRAM = join(ROOT, 'apps', 'cli', 'out', 'main.mjs');
/** As the command line ends where it gets no answer. */
const NOT_THERE = 3;
const ENOUGH_NODE = 24;

if (!existsSync(PROGRAM)) {
  process.stderr.write('deja: The command line is not built yet.\n  npm start builds it, and so does npm run build.\n');
  process.exitCode = NOT_THERE;
} else if (Number(process.versions.node.split('.')[0]) >= ENOUGH_NODE) {
  await import(PROGRAM);
} else {
  try {
    // Everything is the child's: what is typed and piped, and Ctrl-C, which a terminal sends to both.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
    process.exitCode = spawnSync(projectNode(), [PROGRAM, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? NOT_THERE;
  } catch (error) {
    process.stderr.write(`deja: ${error instanceof BootstrapError ? error.message : String(error)}\n`);
    process.exitCode = NOT_THERE;
  }
}
