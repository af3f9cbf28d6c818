// Where an app's processor time goes: `node --conditions=@deja/source bench/profile.ts [whole|repeat|similar|stream] [gateway|router|semantic-cache|usage-worker] [seconds] [--save FILE] [--heap] [--bundle FILE]`.
// A cluster of its own under a closed loop of 16 clients; the app is watched through Node's inspector. Prints the functions with the most time of their own,
// and time by module; `--save` gets the profile as Chromium's DevTools and speedscope read it; `--bundle` is another build of the app.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { APPS, type AppName } from '@deja/launcher';
import { Inspected } from '@deja/testing';
import { withBenchCluster } from './profile/bench-cluster.ts';
import { allocationTable, timeTable } from './profile/profile-tables.ts';
import { KINDS, type Kind } from './added-latency/work.ts';

const CLIENTS = 16;
const WARM_UP_MS = 4000;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { save: { type: 'string' }, heap: { type: 'boolean', default: false }, bundle: { type: 'string' } } });
const kind = KINDS.find((one): one is Kind => one === positionals[0]) ?? 'whole';
const app = APPS.find((one): one is AppName => one === positionals[1]) ?? 'gateway';
const seconds = Number(positionals[2] ?? 8);

await withBenchCluster({ inspect: true, ...(values.bundle !== undefined && { bundles: { [app]: [values.bundle] } }) }, async ({ gateway, load, inspectorUrl }) => {
  const expectCache = kind === 'repeat' ? 'HIT-EXACT' : 'MISS';
  if (kind === 'repeat') await load.perform({ target: gateway, kind, connections: 1, count: 1, expectCache: 'MISS' });
  await load.perform({ target: gateway, kind, connections: CLIENTS, durationMs: WARM_UP_MS, expectCache });
  const inspected = await Inspected.open(inspectorUrl(app));
  await inspected.start(values.heap ? 'heap' : 'cpu');
  const { durationsMs } = await load.perform({ target: gateway, kind, connections: CLIENTS, durationMs: seconds * 1000, expectCache });
  const requests = durationsMs.length;
  const profile = await inspected.stop();
  if (values.save !== undefined) await writeFile(values.save, JSON.stringify(profile));
  process.stdout.write(`${app}, ${kind}, ${requests} requests in ${seconds} s\n\n${'samples' in profile && 'timeDeltas' in profile ? timeTable(profile, requests) : allocationTable(profile, requests)}\n`);
  inspected.close();
});
