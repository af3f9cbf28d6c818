/**
 * How long a start takes: each app from its process to its readiness, in a cluster whose Redis, Postgres and other apps run; and `npm start` the second time.
 * `node --conditions=@deja/source bench/start-up.ts [starts] [--apps] [--root DIR …]` (7 starts; with --apps no `npm start`). The same run measures `node -e 0` and a bare application
 * of Nest on Fastify, bundled like the apps, because a shared machine has slow hours: ratios say more than milliseconds. With several --root, checkouts that are
 * built, their apps are started in turns. Processor time is Linux's alone (/proc/<pid>/task/<tid>/schedstat).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { appProgram, APPS, startCluster, type AppName, type Cluster } from '@deja/launcher';
import { rolldown, type InputOptions, type OutputOptions } from 'rolldown';
import { buildIfChanged } from '../tools/build.ts';
import { thisMachine } from './added-latency/report.ts';
import { median, startOf, TELL, whenSaid, type Start } from './start-up/one-start.ts';
import { npmStarts } from './start-up/npm-start.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BARE = fileURLToPath(new URL('./start-up/bare.ts', import.meta.url));

/** What the apps are started with beside what the cluster tells them; as images and `npm start` do, with compiled code kept. */
interface Cache {
  NODE_COMPILE_CACHE: string;
}

async function bareApp(dir: string): Promise<string> {
  const { default: preset } = (await import(join(ROOT, 'rolldown.preset.mjs'))) as { default: InputOptions & { output: OutputOptions } };
  const bundle = await rolldown({ ...preset, input: { main: BARE }, tsconfig: join(ROOT, 'bench/tsconfig.json') });
  await bundle.write({ ...preset.output, dir, sourcemap: false });
  await bundle.close();
  return join(dir, 'main.mjs');
}

/** Node alone, and Nest on Fastify alone. */
async function references(starts: number, bare: string, cache: Cache): Promise<Map<string, Start[]>> {
  const env = { PATH: process.env['PATH'], ...cache };
  const measured = new Map<string, Start[]>([['node -e 0', []], ['Nest on Fastify, bare', []]]);
  for (let n = 0; n < starts; n++) {
    measured.get('node -e 0')?.push(await whenSaid(['-e', TELL], env));
    measured.get('Nest on Fastify, bare')?.push(await whenSaid([bare], env));
  }
  return measured;
}

async function appStarts(starts: number, roots: string[], dir: string, cache: Cache): Promise<Map<string, Start[]>> {
  // The arguments are read at each start of the process, so one replica can be this checkout's now and that one's the next time.
  const programs = new Map(APPS.map((app) => [app, appProgram(app, roots[0] ?? ROOT)]));
  const choose = (app: AppName, root: string): void => void programs.get(app)?.args.splice(-1, 1, ...appProgram(app, root).args.slice(-1));
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  const cluster: Cluster = await startCluster({
    dataDir: join(dir, 'data'), port: 0, opsPort: 0, env: { PATH, HOME, TMPDIR, LANG, ...cache, DEJA_CONFIG: join(dir, 'none.yaml') }, output: () => undefined,
    program: (app) => programs.get(app) ?? appProgram(app, ROOT),
  });
  const measured = new Map<string, Start[]>();
  try {
    // The first of each fills the cache of compiled code and is not counted.
    for (let n = -1; n < starts; n++) {
      for (const app of APPS) {
        for (const root of n % 2 === 0 ? roots : roots.toReversed()) {
          const name = roots.length === 1 ? app : `${app}, ${root}`;
          await cluster.suspend(app);
          choose(app, root);
          const start = await startOf(cluster, app);
          if (n >= 0) measured.set(name, [...(measured.get(name) ?? []), start]);
        }
      }
    }
  } finally {
    await cluster.stop();
  }
  return measured;
}

function table(measured: Map<string, Start[]>): string[] {
  const node = median((measured.get('node -e 0') ?? []).map(({ cpuMs }) => cpuMs));
  const rows = [...measured].map(([name, starts]) => {
    const of = (read: (start: Start) => number): number => median(starts.map(read));
    return `| ${name} | ${starts.length} | ${of(({ wallMs }) => wallMs).toFixed(0)} | ${Math.min(...starts.map(({ wallMs }) => wallMs)).toFixed(0)} | ${of(({ cpuMs }) => cpuMs).toFixed(0)} | ${(of(({ cpuMs }) => cpuMs) / node).toFixed(1)} | ${of(({ rssMiB }) => rssMiB).toFixed(0)} |`;
  });
  return ['| start | n | ready after, ms, median | least | CPU ms | × `node -e 0` | RSS then, MiB |', '|---|--:|--:|--:|--:|--:|--:|', ...rows];
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { apps: { type: 'boolean', default: false }, root: { type: 'string', multiple: true, default: [] } } });
  const starts = Number(positionals[0] ?? 7);
  const roots = values.root.length === 0 ? [ROOT] : values.root.map((root) => resolve(root));
  if (roots.includes(ROOT)) await buildIfChanged({ root: ROOT, onStart: () => process.stderr.write('Building the apps …\n') });
  const dir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  try {
    const cache = { NODE_COMPILE_CACHE: join(dir, 'compiled') };
    const bare = await bareApp(join(dir, 'bare'));
    await references(1, bare, cache);
    const measured = new Map([...(await references(starts, bare, cache)), ...(await appStarts(starts, roots, dir, cache))]);
    const said = [JSON.stringify(thisMachine()), ...table(measured)];
    if (!values.apps) said.push('', ...(await npmStarts(ROOT, join(dir, 'npm-start'), starts)));
    process.stdout.write(`${said.join('\n')}\n`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

await main();
