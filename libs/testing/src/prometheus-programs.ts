import { spawn } from 'node:child_process';
import { onPath } from '@deja/launcher';

/** Where package managers put programs that a non-interactive shell's PATH may lack. */
const PLACES = ['/usr/local/bin', '/usr/bin', '/opt/homebrew/bin'];
const PROGRAMS = ['prometheus', 'promtool'] as const;

export interface PrometheusPrograms {
  prometheus: string;
  promtool: string;
}

export interface Ran {
  code: number | null;
  /** Standard output and standard error, as they came. */
  text: string;
}

let found: Promise<PrometheusPrograms> | null = null;

/**
 * Paths of prometheus and promtool: those on the PATH, else Debian's package, installed by apt-get where this process is root. Rejects with what to type
 * where neither is possible: a test that looked at nothing must not pass. Looked for once in a process.
 */
export function prometheusPrograms(env: NodeJS.ProcessEnv = process.env): Promise<PrometheusPrograms> {
  found ??= find(env);
  return found;
}

/** `promtool` with these arguments; never rejects for what it says of them. */
export async function promtool(args: readonly string[], cwd = process.cwd()): Promise<Ran> {
  const programs = await prometheusPrograms();
  return run([programs.promtool, ...args], { cwd });
}

async function find(env: NodeJS.ProcessEnv): Promise<PrometheusPrograms> {
  const there = await look(env);
  if (there !== null) return there;
  const said = await install(env);
  const installed = await look(env);
  if (installed !== null) return installed;
  throw new Error(`these tests need Prometheus 2.42 or newer (prometheus and promtool on the PATH), and there is none here: type \`apt-get install -y --no-install-recommends prometheus\` as root.${said}`);
}

async function look(env: NodeJS.ProcessEnv): Promise<PrometheusPrograms | null> {
  const [prometheus, tool] = await Promise.all(PROGRAMS.map((program) => onPath([program], env, PLACES)));
  return prometheus == null || tool == null ? null : { prometheus, promtool: tool };
}

/** What an installation said that failed; empty where none was tried. */
async function install(env: NodeJS.ProcessEnv): Promise<string> {
  const aptGet = process.getuid?.() === 0 && env['DEJA_NO_INSTALL'] !== '1' ? await onPath(['apt-get'], env) : null;
  if (aptGet === null) return '';
  // A run level of its own keeps Debian from starting a Prometheus of the system.
  const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const updated = await run([aptGet, 'update', '-q'], { env: quiet });
  const { code, text } = await run([aptGet, 'install', '-q', '-y', '--no-install-recommends', 'prometheus'], { env: quiet });
  return code === 0 ? '' : ` apt-get said:\n${(updated.text + text).split('\n').slice(-15).join('\n')}`;
}

function run([program = '', ...args]: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (piece: string) => (text += piece));
    }
    child.once('error', (error) => resolve({ code: null, text: error.message }));
    child.once('close', (code) => resolve({ code, text }));
  });
}
