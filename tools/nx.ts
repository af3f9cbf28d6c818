import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface NxRun {
  root: string;
  args: string[];
  /** `show`: the reader sees it as it comes; `keep`: only the result has it. */
  output: 'show' | 'keep';
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** The whole process tree is ended after this long. */
  limitMs?: number;
}

/** Runs Nx under this Node, without a daemon that would stay behind. `code` is null when it was ended. */
export function runNx({ root, args, output, env, signal, limitMs }: NxRun): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', 'nx', 'dist', 'bin', 'nx.js'), ...args], {
      cwd: root,
      env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', ...env },
      stdio: ['ignore', output === 'show' ? 'inherit' : 'pipe', output === 'show' ? 'inherit' : 'pipe'],
      // A group of its own, so that all of it can be ended.
      detached: true,
    });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => said.push(text));
    const end = (): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
    };
    const timer = limitMs === undefined ? null : setTimeout(end, limitMs);
    signal?.addEventListener('abort', end, { once: true });
    child.once('error', reject);
    child.once('close', (code) => {
      if (timer !== null) clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve({ code, text: said.join('') });
    });
  });
}
