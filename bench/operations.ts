// What one request makes Redis, Postgres and the bus do: `node --conditions=@deja/source bench/operations.ts [requests] [clients]`. For each kind of request: Redis commands by
// name and their time, bytes to and from Redis, messages, statements, rows, write-ahead log, and processor time of every member of the cluster, everything that follows later included
// and what it does at rest taken off. Markdown, as in docs/scaling.md. Two minutes.
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildIfChanged } from '../tools/build.ts';
import { between, scaled, type Counters } from './operations/counters.ts';
import { withCountedCluster } from './operations/counted-cluster.ts';
import { ask, KINDS, type Kind } from './operations/requests.ts';
import { report } from './operations/report.ts';

const REST_MS = 10_000;
const WARM_UP = 300;

const [requests = 3000, clients = 16] = process.argv.slice(2).map(Number);
await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
await withCountedCluster({}, async (counted) => {
  const { cluster } = counted;
  let asked = 0;
  const perform = async (kind: Kind, count: number): Promise<void> => {
    await ask({ baseUrl: cluster.baseUrl, key: cluster.key }, kind, { count, from: asked, clients });
    asked += count;
    await counted.settled(asked);
  };
  // The first of an exact hit is none.
  await ask({ baseUrl: cluster.baseUrl, key: cluster.key }, 'exact hit', { count: 1, from: 0, clients: 1 }).catch(() => undefined);
  asked += 1;
  await counted.settled(asked);
  for (const kind of KINDS) await perform(kind, WARM_UP);
  const before = await counted.counters();
  await delay(REST_MS);
  const rest = between(before, await counted.counters());
  const perMs = scaled(rest, 1 / rest.atMs);
  const found = new Map<Kind, Counters>();
  for (const kind of KINDS) {
    const from = await counted.counters();
    await perform(kind, requests);
    const all = between(from, await counted.counters());
    found.set(kind, scaled(between(scaled(perMs, all.atMs), all), 1 / requests));
  }
  process.stdout.write(report({ requests, clients, perSecond: scaled(perMs, 1000), found }));
});
