import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { mayBeWriting } from './writing-process.ts';

test('a process that runs may be writing, one that is gone is not, and neither is the primary process of workers', async () => {
  const ended = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(ended, 'exit');
  expect([mayBeWriting(process.pid), mayBeWriting(ended.pid ?? 0), mayBeWriting(process.pid, process.pid), mayBeWriting(process.ppid, process.pid)]).toEqual([true, false, false, true]);
});
