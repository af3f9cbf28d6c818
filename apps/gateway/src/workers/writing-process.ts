import { isWorker } from './worker-arguments.ts';

/**
 * Whether the process with this id may be a gateway's that writes files of its own here, which nobody else is to touch. The primary process of workers writes
 * none: files with its id are of another before it, such as process 1 of the same container when it had no workers.
 */
export function mayBeWriting(pid: number, primary: number | null = isWorker() ? process.ppid : null): boolean {
  if (pid === primary) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
