import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { poll } from './poll.ts';
import { errorCode } from './launcher-error.ts';

const exec = promisify(execFile);

/**
 * What tells this process from a later one with the same id: when it started, and since which boot. null when no such process runs (a zombie does not run).
 * The same text for as long as the process lives; compare it for equality only.
 */
export async function processIdentity(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    try {
      const [status, boot] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile('/proc/sys/kernel/random/boot_id', 'utf8')]);
      // proc(5): the name in parentheses may hold anything, so fields are counted after it; state is field 3, start time field 22.
      const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? null : `${boot.trim()}:${fields[19]}`;
    } catch {
      return null; // no such process
    }
  }
  try {
    const { stdout } = await exec('ps', ['-o', 'lstart=,stat=', '-p', String(pid)], { env: { ...process.env, LC_ALL: 'C' } });
    const [, started, state] = /^(.*\S)\s+(\S+)\s*$/.exec(stdout.trim()) ?? [];
    return started === undefined || state?.startsWith('Z') === true ? null : started;
  } catch {
    return null; // ps fails for a process that is not there
  }
}

/** A process that somebody wrote down earlier. */
export interface KnownProcess {
  pid: number;
  identity: string;
}

export async function isAlive(known: KnownProcess): Promise<boolean> {
  return (await processIdentity(known.pid)) === known.identity;
}

/** Ends exactly that process, never a later one with its id: the signal, then after `graceMs` SIGKILL. Resolves when it is gone. */
export async function endProcess(known: KnownProcess, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  const gone = async (): Promise<true | null> => ((await isAlive(known)) ? null : true);
  if ((await gone()) === true) return;
  send(known.pid, signal);
  if ((await poll(gone, { deadlineMs: graceMs })) === true) return;
  send(known.pid, 'SIGKILL');
  await poll(gone, { deadlineMs: 5_000 });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between the look and the signal; whether it did is looked at again anyway.
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}
