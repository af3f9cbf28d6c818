// What one request makes Redis, Postgres and the bus do: `node --conditions=@deja/source bench/operations.ts [requests] [clients] [--write]`. For each kind of request: Redis commands
// by name and their time, bytes to and from Redis, messages, statements, rows, write-ahead log, and processor time of every member of the cluster, everything that follows later
// included and what it does at rest taken off; and what many requests a second come to. Markdown; `--write` puts it into docs/scaling.md. Two minutes.
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildIfChanged } from '../tools/build.ts';
import { between, scaled } from './operations/counters.ts';
import { withCountedCluster } from './operations/counted-cluster.ts';
import { ask, KINDS, type Kind } from './operations/requests.ts';
import { report, type FoundKind } from './operations/report.ts';

const REST_MS = 10_000;
const WARM_UP = 300;

const DOCUMENT = new URL('../docs/scaling.md', import.meta.url);
const FIGURES = /(<!-- figures: .*? -->\n).*(<!-- end of figures -->)/s;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { write: { type: 'boolean', default: false } } });
const [requests = 3000, clients = 16] = positionals.map(Number);
await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
await withCountedCluster({}, async (counted) => {
  const { cluster } = counted;
  let asked = 0;
  /** Requests a second. */
  const perform = async (kind: Kind, count: number): Promise<number> => {
    const startedMs = performance.now();
    await ask({ baseUrl: cluster.baseUrl, key: cluster.key }, kind, { count, from: asked, clients });
    const tookMs = performance.now() - startedMs;
    asked += count;
    await counted.settled(asked);
    return (count / tookMs) * 1000;
  };
  // In this order: what hits is first asked by what does not.
  for (const kind of KINDS) await perform(kind, WARM_UP);
  const before = await counted.counters();
  await delay(REST_MS);
  const rest = between(before, await counted.counters());
  const perMs = scaled(rest, 1 / rest.atMs);
  const found = new Map<Kind, FoundKind>();
  for (const kind of KINDS) {
    const from = await counted.counters();
    const rate = await perform(kind, requests);
    const all = between(from, await counted.counters());
    found.set(kind, { rate, aRequest: scaled(between(scaled(perMs, all.atMs), all), 1 / requests) });
  }
  const { sums, details } = report({ requests, clients, perSecond: scaled(perMs, 1000), found });
  process.stdout.write(`${sums}\n${details}`);
  if (values.write) await writeFile(DOCUMENT, (await readFile(DOCUMENT, 'utf8')).replace(FIGURES, (_, begin: string, end: string) => `${begin}\n${sums}\n${end}`));
});
