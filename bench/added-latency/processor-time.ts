import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

interface Row {
  pid: number;
  parent: number;
  /** Processor time of the process itself since its start. */
  seconds: number;
  /** Of its children that ended. */
  endedSeconds: number;
  residentKiB: number;
}

/** USER_HZ, which Linux fixes for /proc whatever the kernel's own clock is (proc(5)). */
const TICKS_PER_SECOND = 100;
/** The size of a page on the machines that this runs on. */
const PAGE_KIB = 4;

/** Processor time of a process, and of all of it with its descendants, in seconds since their start. */
export function processorSeconds(pid: number): { own: number; tree: number } {
  const rows = allRows();
  return { own: rows.find((row) => row.pid === pid)?.seconds ?? 0, tree: ofTree(rows, pid, secondsOf) };
}

/** Of each of these processes with its descendants: processor time in seconds since their start, and the memory that they hold (resident set, MiB). */
export function usageOf(pids: readonly number[]): { seconds: number; residentMiB: number }[] {
  const rows = allRows();
  return pids.map((pid) => ({ seconds: ofTree(rows, pid, secondsOf), residentMiB: ofTree(rows, pid, ({ residentKiB }) => residentKiB) / 1024 }));
}

const secondsOf = ({ seconds, endedSeconds }: Row): number => seconds + endedSeconds;

function ofTree(rows: Row[], pid: number, what: (row: Row) => number): number {
  const row = rows.find((candidate) => candidate.pid === pid);
  const children = rows.filter((candidate) => candidate.parent === pid);
  return (row === undefined ? 0 : what(row)) + children.reduce((sum, child) => sum + ofTree(rows, child.pid, what), 0);
}

const allRows = (): Row[] => (existsSync('/proc/self/stat') ? rowsOfProc() : rowsOfPs());

/** Starts watching; the result says which share of the machine's processor time went to processes that are not ours, 0…1. */
export function watchOthers(): () => number {
  const busyMs = (): { busy: number; all: number } => {
    const times = cpus().map((core) => core.times);
    const all = times.reduce((sum, { user, nice, sys, irq, idle }) => sum + user + nice + sys + irq + idle, 0);
    return { busy: all - times.reduce((sum, { idle }) => sum + idle, 0), all };
  };
  const before = { ...busyMs(), ours: processorSeconds(process.pid).tree * 1000 };
  return () => {
    const now = { ...busyMs(), ours: processorSeconds(process.pid).tree * 1000 };
    return Math.max(0, (now.busy - before.busy - (now.ours - before.ours)) / (now.all - before.all));
  };
}

function rowsOfProc(): Row[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        // The name of the program stands in parentheses and may hold anything; state is the first field after it.
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
        const ticks = (at: number): number => fields[at] ?? 0;
        return [{ pid: Number(name), parent: ticks(1), residentKiB: ticks(21) * PAGE_KIB, seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND, endedSeconds: (ticks(13) + ticks(14)) / TICKS_PER_SECOND }];
      } catch {
        return []; // it ended since it was listed
      }
    });
}

/** macOS: hundredths of a second; children that ended are not counted. */
function rowsOfPs(): Row[] {
  return execFileSync('ps', ['-axo', 'pid=,ppid=,rss=,time='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => {
      const [pid = '', parent = '', rss = '', time = ''] = line.trim().split(/\s+/);
      const seconds = time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
      return { pid: Number(pid), parent: Number(parent), seconds, endedSeconds: 0, residentKiB: Number(rss) };
    });
}
