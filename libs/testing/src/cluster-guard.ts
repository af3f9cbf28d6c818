import { spawn } from 'node:child_process';

/**
 * Waits for the end of its input, which is the death of the tester, and then ends what the pid files below the directory name. The processes of a
 * cluster live in groups of their own, so that a Ctrl-C, a time limit or a crash of the tester would otherwise leave them running.
 */
const SCRIPT = `
read -r _
cat "$1"/run/*.pid 2>/dev/null | xargs kill -9 2>/dev/null
head -n 1 "$1"/postgres/data/postmaster.pid 2>/dev/null | xargs kill -9 2>/dev/null
rm -rf "$1"
`;

/** Ends whatever still runs from that directory when this process dies without having called the answer, which removes the guard. */
export function guard(directory: string): () => void {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'sh', directory], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  // Neither keeps this process alive.
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref();
  child.stdin.on('error', () => {}); // it was removed
  return () => void child.kill('SIGKILL');
}
