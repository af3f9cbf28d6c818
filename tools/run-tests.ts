// `npm test [project…]`: every project's tests, then one line that counts them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findRedisServer, LauncherError, startPostgres, temporaryDirectory } from '@deja/launcher';
import { buildIfChanged } from './build.ts';
import { compileApps } from './compile.ts';
import { RESULTS_FILE } from './jest-results.mjs';
import { runNx } from './nx.ts';

const ROOT = join(import.meta.dirname, '..');
/** Starts whole clusters: alone, last, and never from the cache, because it tests what the others are built into. */
const CLUSTER_TESTS = 'tests';
const PARALLEL = 2;
const LIMIT_MS = 40 * 60_000;
/** Where the counts of a second try go, beside those of the first. */
const AGAIN_FILE = join('test-results', 'again.json');

interface Project {
  name: string;
  folder: string;
}

/** As jest-results.mjs leaves them. */
interface Results {
  passed: number;
  failed: number;
  skipped: number;
  failures: FailedFile[];
}

interface FailedFile {
  file: string;
  /** Not one of its tests ran: what they needed did not come about. */
  setUp: boolean;
  tests: { title: string; reason: string }[];
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What is to be said of them, a line each. */
  lines: string[];
}

function testProjects(wanted: string[]): Project[] {
  const all = globSync(['apps/*/project.json', 'libs/*/project.json', 'tests/project.json'], { cwd: ROOT }).flatMap((file) => {
    const { name, targets } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { name: string; targets: Record<string, unknown> };
    return 'test' in targets ? [{ name, folder: dirname(file) }] : [];
  });
  const unknown = wanted.filter((name) => !all.some((project) => project.name === name));
  if (unknown.length > 0) throw new LauncherError(`There is no project ${unknown.join(', ')} with tests; there are: ${all.map(({ name }) => name).join(', ')}.`);
  return wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(name));
}

async function runAll(projects: Project[], signal: AbortSignal): Promise<void> {
  for (const { folder } of projects) rmSync(join(ROOT, folder, RESULTS_FILE), { force: true });
  await findRedisServer({ onProgress: (line) => console.error(line) });
  const built = await buildIfChanged({ root: ROOT, signal, onStart: () => console.error('building the apps') });
  if (built) await compileApps(ROOT, signal);
  const directory = await temporaryDirectory('deja-tests-');
  const postgres = await startPostgres({ dir: join(directory, 'postgres'), durable: false });
  try {
    const test = async (names: string[], more: string[]): Promise<void> => {
      if (names.length === 0 || signal.aborted) return;
      const args = ['run-many', '-t', 'test', '-p', ...names, `--parallel=${PARALLEL}`, '--outputStyle=static', ...more];
      await runNx({ root: ROOT, args, output: 'show', env: { DEJA_TEST_POSTGRES_URL: postgres.url }, signal, limitMs: LIMIT_MS });
    };
    const names = projects.map(({ name }) => name);
    await test(names.filter((name) => name !== CLUSTER_TESTS), []);
    await test(names.filter((name) => name === CLUSTER_TESTS), ['--skipNxCache']);
    for (const project of projects) if (!signal.aborted) await setUpAgain(project, { DEJA_TEST_POSTGRES_URL: postgres.url }, signal);
  } finally {
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Files whose tests could not even begin are run once more, alone: what stood in their way was around them. A test that ran and failed stays failed.
 */
async function setUpAgain({ name, folder }: Project, env: Record<string, string>, signal: AbortSignal): Promise<void> {
  const first = resultsOf(join(ROOT, folder, RESULTS_FILE));
  const files = first?.failures.filter(({ setUp }) => setUp).map(({ file }) => file) ?? [];
  if (first === null || files.length === 0) return;
  console.error(`${name}: once more, because nothing of it could run: ${files.join(', ')}`);
  rmSync(join(ROOT, folder, AGAIN_FILE), { force: true });
  const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), '--runInBand', ...files];
  const child = spawn(process.execPath, jest, { cwd: join(ROOT, folder), env: { ...process.env, ...env, DEJA_TEST_RESULTS: AGAIN_FILE }, stdio: ['ignore', 'inherit', 'inherit'], signal, timeout: LIMIT_MS });
  await once(child, 'close').catch(() => undefined); // ended: what it left behind tells
  const second = resultsOf(join(ROOT, folder, AGAIN_FILE));
  if (second === null) return;
  const others = first.failures.filter(({ setUp }) => !setUp);
  const failedBefore = first.failures.filter(({ setUp }) => setUp).reduce((sum, { tests }) => sum + tests.length, 0);
  const results: Results = { passed: first.passed + second.passed, failed: first.failed - failedBefore + second.failed, skipped: first.skipped, failures: [...others, ...second.failures] };
  writeFileSync(join(ROOT, folder, RESULTS_FILE), JSON.stringify(results));
}

const resultsOf = (file: string): Results | null => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : null);

/** A project that has tests but left no counts behind did not get to its end: that is one failure. */
function countsOf({ name, folder }: Project): Counts {
  const results = resultsOf(join(ROOT, folder, RESULTS_FILE));
  if (results !== null) return { ...results, lines: results.failures.flatMap(({ tests }) => tests.map(({ title, reason }) => `failed: ${name}: ${title}: ${reason}`)) };
  const hasTests = globSync(['src/**/*.spec.ts', 'test/**/*.spec.ts'], { cwd: join(ROOT, folder) }).length > 0;
  return hasTests ? { passed: 0, failed: 1, skipped: 0, lines: [`failed: ${name}: its tests did not run to the end`] } : { passed: 0, failed: 0, skipped: 0, lines: [] };
}

function closingLine(counts: Counts[]): { line: string; failed: number } {
  const sum = (of: (one: Counts) => number): number => counts.reduce((total, one) => total + of(one), 0);
  const failed = sum((one) => one.failed);
  const skipped = sum((one) => one.skipped);
  return { line: `${sum((one) => one.passed)} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`, failed };
}

async function main(): Promise<number> {
  const aborted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => aborted.abort());
  process.on('disconnect', () => aborted.abort());
  process.channel?.unref();
  let projects: Project[] = [];
  const counts: Counts[] = [];
  try {
    projects = testProjects(process.argv.slice(2));
    await runAll(projects, aborted.signal);
    counts.push(...projects.map(countsOf));
  } catch (error) {
    console.error(error instanceof LauncherError ? error.message : error);
    counts.push({ passed: 0, failed: 1, skipped: 0, lines: [] });
  }
  for (const line of counts.flatMap(({ lines }) => lines)) console.log(line);
  const { line, failed } = closingLine(counts);
  await new Promise<void>((done) => process.stdout.write(`${line}\n`, () => done()));
  return failed > 0 || aborted.signal.aborted ? 1 : 0;
}

process.exit(await main());
