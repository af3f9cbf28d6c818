import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { AppName, Cluster } from '@deja/launcher';

/** One start, from the process to its readiness. */
export interface Start {
  wallMs: number;
  /** Processor time of all its threads; NaN where the system does not tell. */
  cpuMs: number;
  rssMiB: number;
}

const LOOK_MS = 4;
const READY_MS = 60_000;

/** Of a member that was suspended. */
export async function startOf(cluster: Cluster, app: AppName): Promise<Start> {
  const fromMs = performance.now();
  await cluster.resume(app);
  const { opsPort } = cluster.apps.find((one) => one.app === app) ?? { opsPort: 0 };
  while (!(await isReady(opsPort))) {
    if (performance.now() - fromMs > READY_MS) throw new Error(`${app} is not ready after ${READY_MS / 1000} s`);
    await delay(LOOK_MS);
  }
  return { wallMs: performance.now() - fromMs, ...usedBy(cluster.pid(app) ?? 0) };
}

/** What a program under `whenSaid` says when it is ready; readable as it stands for `node -e`, too. */
export const TELL = 'const { user, system } = process.cpuUsage(); console.log(JSON.stringify({ cpuMs: (user + system) / 1000, rssMiB: process.memoryUsage.rss() / 2 ** 20 }));';

/** Of a Node program that says what it has used by then when it is ready, and is ended there. */
export async function whenSaid(args: string[], env: NodeJS.ProcessEnv): Promise<Start> {
  const fromMs = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const wallMs = performance.now() - fromMs;
  child.kill();
  return { wallMs, ...(JSON.parse(said.toString()) as Omit<Start, 'wallMs'>) };
}

function isReady(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const asked = request({ port, host: '127.0.0.1', path: '/readyz', agent: false }, (answer) => {
    answer.resume();
    resolve(answer.statusCode === 200);
  });
  asked.on('error', () => resolve(false)); // not listening yet
  asked.end();
  return promise;
}

function usedBy(pid: number): { cpuMs: number; rssMiB: number } {
  try {
    const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]));
    const rssKiB = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    return { cpuMs: nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6, rssMiB: rssKiB / 1024 };
  } catch {
    return { cpuMs: Number.NaN, rssMiB: Number.NaN }; // no Linux
  }
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
