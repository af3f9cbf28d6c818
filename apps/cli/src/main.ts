import { run } from './run.ts';
import { systemWorld } from './world.ts';

// A reader that has seen enough (`deja requests list | head`) is no error; run.ts ends for it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exitCode = await run(process.argv.slice(2), systemWorld());
