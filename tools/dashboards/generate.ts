// Writes deploy/grafana/dashboards. `node tools/dashboards/generate.ts [--check]`; with --check it writes nothing, names the files that are not what it would write, and fails.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { cache } from './cache.ts';
import { cost } from './cost.ts';
import { internals } from './internals.ts';
import { latency } from './latency.ts';
import { overview } from './overview.ts';
import { providers } from './providers.ts';
import { tenants } from './tenants.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'deploy', 'grafana', 'dashboards');

/** By file name. */
function files(): Map<string, string> {
  const all: Dashboard[] = [overview(), latency(), cost(), cache(), providers(), tenants(), internals()];
  return new Map(all.map((made) => [`${made.uid}.json`, `${JSON.stringify(made, null, 1)}\n`]));
}

/** Names of files that are missing, differ, or are no dashboard of ours. */
async function stale(wanted: ReadonlyMap<string, string>): Promise<string[]> {
  const there = await readdir(FOLDER);
  const differing = await Promise.all([...wanted].map(async ([name, text]) => (there.includes(name) && (await readFile(join(FOLDER, name), 'utf8')) === text ? [] : [name])));
  return [...differing.flat(), ...there.filter((name) => !wanted.has(name))];
}

const wanted = files();
await mkdir(FOLDER, { recursive: true });
const names = await stale(wanted);
if (process.argv.includes('--check')) {
  for (const name of names) console.error(`deploy/grafana/dashboards/${name} is not what tools/dashboards makes: node tools/dashboards/generate.ts`);
  process.exitCode = names.length === 0 ? 0 : 1;
} else {
  for (const name of names) {
    const text = wanted.get(name);
    if (text === undefined) await rm(join(FOLDER, name));
    else await writeFile(join(FOLDER, name), text);
    console.log(`${text === undefined ? 'removed' : 'wrote'} deploy/grafana/dashboards/${name}`);
  }
}
