/**
 * What becomes of requests under a limit while Redis does not answer (SIGSTOP) or is gone (SIGKILL), for each degraded mode: three gateways,
 * one key, 100 requests a second. `node --conditions=@deja/source bench/degraded-limits.ts [seconds] [trouble…]`: so many seconds each trouble
 * lasts (10), and which (both).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DEGRADED_MODES, type DegradedMode } from '@deja/contracts';
import { answer, eventually, fakeProvider, testCluster, type TestCluster } from '@deja/testing';
import { buildIfChanged } from '../tools/build.ts';
import { watchOthers } from './added-latency/processor-time.ts';
import { percentiles, thisMachine, type Percentiles } from './added-latency/report.ts';

const GATEWAYS = 3;
const REQUESTS_PER_S = 100;
const LIMIT_PER_MINUTE = 600;
/** Without trouble, before and after it. */
const CALM_MS = 5000;
/** Gateways learn how many they are with a heartbeat every quarter of this. */
const LEASE_S = 4;

const TROUBLES = { SIGSTOP: 'does not answer', SIGKILL: 'is gone' } as const;
type Trouble = keyof typeof TROUBLES;

interface Sent {
  atMs: number;
  tookMs: number;
  /** 0: no answer. */
  status: number;
}

async function send(cluster: TestCluster, key: string, n: number): Promise<Sent> {
  const [atMs, from] = [Date.now(), performance.now()];
  const done = (status: number): Sent => ({ atMs, tookMs: performance.now() - from, status });
  try {
    const response = await fetch(`${cluster.urls[n % GATEWAYS]}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-cache-mode': 'off' },
      body: JSON.stringify({ model: 'bench', max_tokens: 10, messages: [{ role: 'user', content: `How are you, number ${n}?` }] }),
      signal: AbortSignal.timeout(30_000),
    });
    await response.text();
    return done(response.status);
  } catch {
    return done(0);
  }
}

/** Sends at a steady pace, however long answers take, until `during` is over; resolves when all are answered. */
async function load(cluster: TestCluster, key: string, during: () => Promise<void>): Promise<Sent[]> {
  const sent: Promise<Sent>[] = [];
  const from = performance.now();
  let isOver = false;
  const sending = (async () => {
    for (; !isOver; await delay(2)) {
      while (sent.length < ((performance.now() - from) / 1000) * REQUESTS_PER_S) sent.push(send(cluster, key, sent.length));
    }
  })();
  await during();
  isOver = true;
  await sending;
  return Promise.all(sent);
}

async function keyWith(cluster: TestCluster, limits: object): Promise<string> {
  const response = await fetch(`${cluster.url}/admin/v1/keys`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.adminKey}` },
    body: JSON.stringify({ tenant: 'default', name: 'bench', limits }),
  });
  if (response.status !== 201) throw new Error(`no key: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { key: string }).key;
}

/** A gauge of all gateways, added up. */
async function degraded(cluster: TestCluster): Promise<number> {
  const texts = await Promise.all(Array.from({ length: GATEWAYS }, async (_, i) => (await fetch(`${cluster.opsUrl('gateway', i + 1)}/metrics`)).text()));
  return texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith('deja_gateway_limits_degraded')).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

interface Phase {
  counts: Record<number, number>;
  took: Percentiles;
  longestMs: number;
}

function phaseOf(sent: Sent[]): Phase {
  const counts: Record<number, number> = {};
  for (const { status } of sent) counts[status] = (counts[status] ?? 0) + 1;
  const took = sent.map(({ tookMs }) => tookMs);
  return { counts, took: percentiles(took), longestMs: Math.max(...took) };
}

interface Row {
  trouble: Trouble;
  mode: DegradedMode;
  phases: Phase[];
  /** From the end of the trouble until Redis decides on every gateway. */
  backMs: number;
}

async function measure(cluster: TestCluster, trouble: Trouble, mode: DegradedMode, lastsMs: number): Promise<Row> {
  const key = await keyWith(cluster, { requests_per_minute: LIMIT_PER_MINUTE, degraded: mode });
  const edges: number[] = [];
  let backMs = 0;
  const sent = await load(cluster, key, async () => {
    await delay(CALM_MS);
    edges.push(Date.now());
    const pid = cluster.pid('redis');
    if (pid === null) throw new Error('this cluster has no Redis of its own');
    if (trouble === 'SIGSTOP') process.kill(pid, 'SIGSTOP');
    else await cluster.cluster.suspend('redis', 1, 0);
    await delay(lastsMs);
    const from = performance.now();
    edges.push(Date.now());
    if (trouble === 'SIGSTOP') process.kill(pid, 'SIGCONT');
    else await cluster.resume('redis');
    await eventually('Redis to decide again', async () => (await degraded(cluster)) === 0, 60_000);
    backMs = performance.now() - from;
    await delay(CALM_MS);
  });
  const [beganMs = 0, endedMs = 0] = edges;
  const inPhase = [({ atMs }: Sent) => atMs < beganMs, ({ atMs }: Sent) => atMs >= beganMs && atMs < endedMs, ({ atMs }: Sent) => atMs >= endedMs + backMs];
  return { trouble, mode, phases: inPhase.map((within) => phaseOf(sent.filter(within))), backMs };
}

function markdown(rows: Row[], lastsMs: number, othersShare: number): string {
  const machine = thisMachine();
  const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
  const cells = ({ counts, took, longestMs }: Phase): (string | number)[] => {
    const others = Object.entries(counts).filter(([status]) => status !== '200').map(([status, count]) => `${count} × ${status === '0' ? 'no answer' : status}`);
    return [counts[200] ?? 0, others.join(', '), ms(took.p50), ms(took.p99), ms(longestMs)];
  };
  const line = ({ trouble, mode, phases, backMs }: Row): string => `| ${[`${TROUBLES[trouble]} (${trouble})`, `\`${mode}\``, ...phases.flatMap(cells), (backMs / 1000).toFixed(2)].join(' | ')} |`;
  const columns = (phase: string): string => `**${phase}**: admitted | refused | p50, ms | p99 | longest`;
  return `
${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ${machine.platform}, Node ${machine.node}, of which other programs took ${(othersShare * 100).toFixed(0)} % meanwhile. ${GATEWAYS} gateways, a provider that
answers at once; ${REQUESTS_PER_S} requests/s with one key of ${LIMIT_PER_MINUTE} requests per minute: ${CALM_MS / 1000} s before, ${lastsMs / 1000} s of trouble, ${CALM_MS / 1000} s after Redis decides again.

| Redis | mode | ${columns('before')} | ${columns('during')} | ${columns('after')} | decides again after, s |
|---|---|${'--:|---|--:|--:|--:|'.repeat(3)}--:|
${rows.map(line).join('\n')}
`;
}

async function main(): Promise<void> {
  const [seconds = '10', ...names] = process.argv.slice(2);
  const lastsMs = Number(seconds) * 1000;
  await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
  const provider = await fakeProvider({ fastAnswer: answer('Fine, thank you.') });
  let cluster: TestCluster | null = null;
  try {
    cluster = await testCluster({ provider, scale: { gateway: GATEWAYS }, env: { DEJA_LEASE_S: String(LEASE_S), DEJA_REDIS_DEADLINE_MS: '50' } });
    const warm = await keyWith(cluster, {});
    await load(cluster, warm, () => delay(CALM_MS));
    const othersShare = watchOthers();
    const rows: Row[] = [];
    for (const trouble of (Object.keys(TROUBLES) as Trouble[]).filter((name) => names.length === 0 || names.includes(name))) {
      for (const mode of DEGRADED_MODES) {
        process.stderr.write(`${trouble}, ${mode} …\n`);
        rows.push(await measure(cluster, trouble, mode, lastsMs));
      }
    }
    process.stdout.write(markdown(rows, lastsMs, othersShare()));
  } finally {
    await cluster?.stop();
    await provider.close();
  }
}

await main();
