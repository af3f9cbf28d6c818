/**
 * What a semantic look-up costs on the path of a request: over the message bus to a semantic-cache in a process of its own, 200 a second, 10,000
 * entries in one scope, the built-in embedder; and a whole request that is answered so, next to a direct call of the provider.
 * `node --conditions=@deja/source bench/semantic/look-up.ts [--qdrant URL]`
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SemanticCacheEvents, SemanticCacheRpc } from '@deja/contracts';
import { startCluster, type Cluster } from '@deja/launcher';
import { createLogger } from '@deja/telemetry';
import { fakeProvider } from '@deja/testing';
import { StreamsClient } from '@deja/transport';
import { buildIfChanged } from '../../tools/build.ts';
import { percentiles, thisMachine } from '../added-latency/report.ts';
import { question, QUESTIONS } from './questions.ts';

const ENTRIES = 10_000;
const PER_SECOND = 200;
const SECONDS = 20;
const REQUESTS = 500;
const PARTITION = { tenant: 'bench', scope: 'tenant', fingerprint: 'f'.repeat(64) };
const HOUR_MS = 3_600_000;
const FILL_DEADLINE_MS = 120_000;

type Lookup = SemanticCacheRpc['lookup'];

const qdrantAt = process.argv.indexOf('--qdrant');
const qdrant = qdrantAt < 0 ? null : (process.argv[qdrantAt + 1] ?? null);
const root = fileURLToPath(new URL('../..', import.meta.url));
await buildIfChanged({ root });
const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-look-up-'));
const provider = await fakeProvider({ fastAnswer: { deltas: ['An ', 'answer.'] } });
await writeFile(join(dataDir, 'deja.yaml'), JSON.stringify({
  providers: { bench: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-bench' }] } },
  models: [{ name: '*', deployments: [{ provider: 'bench', model: '*' }] }],
  cache: { exact: { enabled: false }, semantic: { audit: { share: 0 } } },
}));
const cluster = await startCluster({ dataDir, port: 0, opsPort: 0, output: () => undefined, env: { ...process.env, DEJA_CONFIG: join(dataDir, 'deja.yaml'), LOG_LEVEL: 'warn', ...(qdrant !== null && { QDRANT_URL: qdrant }) } });
try {
  const { cpu, cores, node, platform } = thisMachine();
  console.log(`${cpu}, ${cores} cores, ${platform}, Node ${node}, ${qdrant === null ? 'index in memory' : 'Qdrant'}, ${ENTRIES} entries in one scope\n`);
  await lookUps(cluster);
  await wholeRequests(cluster);
} finally {
  await cluster.stop();
  await provider.close();
  await rm(dataDir, { recursive: true, force: true });
}

async function lookUps({ redisUrl }: Cluster): Promise<void> {
  const client = new StreamsClient({ service: 'semantic-cache', redisUrl, logger: createLogger({ service: 'bench', instance: 'bench', level: 'silent' }) });
  try {
    const store = (n: number): Promise<void> => client.notify('store', { ...PARTITION, text: question(n), entry: randomUUID(), expiresAtMs: Date.now() + HOUR_MS } satisfies SemanticCacheEvents['store']);
    for (let n = 0; n < ENTRIES; n += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => store(n + i)));
    const ask = (n: number): Promise<Lookup['reply']> => client.call<Lookup['reply']>('lookup', { ...PARTITION, text: question(n), model: 'bench', policy: { verification: 'strict', maxWrongRate: 0.01, auditShare: 0, judged: false } } satisfies Lookup['request'], { deadlineMs: 5000 });
    const until = Date.now() + FILL_DEADLINE_MS;
    while ((await ask(ENTRIES - 1)).outcome !== 'hit') {
      if (Date.now() > until) throw new Error('the entries were not found in time');
      await delay(100);
    }
    await paced(PER_SECOND, 3, ask);
    const { durationsMs, hits } = await paced(PER_SECOND, SECONDS, ask);
    show(`look-up over the bus, ${PER_SECOND}/s`, durationsMs, `${hits} of ${durationsMs.length} were hits`);
  } finally {
    await client.close();
  }
}

/** Open loop: a slow answer does not make the next question later. Every second question is known, every other is not. */
async function paced(perSecond: number, seconds: number, ask: (n: number) => Promise<Lookup['reply']>): Promise<{ durationsMs: number[]; hits: number }> {
  const startedMs = performance.now();
  const running: Promise<void>[] = [];
  const durationsMs: number[] = [];
  let hits = 0;
  for (let i = 0; i < perSecond * seconds; i++) {
    await delay(Math.max(0, startedMs + (i * 1000) / perSecond - performance.now()));
    const askedMs = performance.now();
    running.push(ask((i * 7919) % (ENTRIES * 2)).then((reply) => {
      durationsMs.push(performance.now() - askedMs);
      if (reply.outcome === 'hit') hits++;
    }));
  }
  await Promise.all(running);
  return { durationsMs, hits };
}

async function wholeRequests({ baseUrl, key }: Cluster): Promise<void> {
  const chat = async (url: string, content: string): Promise<{ ms: number; cache: string | null }> => {
    const body = JSON.stringify({ model: 'bench', messages: [{ role: 'user', content }] });
    const startedMs = performance.now();
    const response = await fetch(`${url}/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` }, body });
    await response.arrayBuffer();
    return { ms: performance.now() - startedMs, cache: response.headers.get('x-cache') };
  };
  const known = question(QUESTIONS - 1);
  const until = Date.now() + FILL_DEADLINE_MS;
  while ((await chat(`${baseUrl}/v1`, known)).cache !== 'HIT-SEMANTIC') {
    if (Date.now() > until) throw new Error('there was no semantic hit in time');
    await delay(100);
  }
  const direct: number[] = [];
  const hits: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    direct.push((await chat(provider.url, known)).ms);
    const { ms, cache } = await chat(`${baseUrl}/v1`, `${i % 2 === 0 ? 'Please, ' : ''}${known}`);
    if (cache === 'HIT-SEMANTIC') hits.push(ms);
  }
  show('direct call of a provider that answers at once', direct);
  show('whole request, answered by a semantic hit', hits, `${hits.length} of ${REQUESTS} were hits`);
}

function show(what: string, durationsMs: number[], note = ''): void {
  const { p50, p99 } = percentiles(durationsMs);
  console.log(`${what.padEnd(50)} p50 ${p50.toFixed(2).padStart(7)} ms   p99 ${p99.toFixed(2).padStart(7)} ms   ${note}`);
}
