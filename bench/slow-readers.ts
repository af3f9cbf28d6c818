// What slow clients cost a gateway: `node --conditions=@deja/source bench/slow-readers.ts [readers] [megabytes]`. So many clients (200) stream an answer of
// so many MB (10) and stop reading; then they read slowly to the end. The provider must be slowed down, not the answers held in the gateway's memory.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCluster, type Cluster } from '@deja/launcher';
import { bigStream, fakeProvider, type FakeProvider } from '@deja/testing';
import { buildIfChanged } from '../tools/build.ts';
import { thisMachine } from './added-latency/report.ts';

const MIB = 1024 * 1024;
const STALL_MS = 15_000;
const READ_EVERY_MS = 50;
const READ_BYTES = 256 * 1024;
const FINISH_MS = 240_000;

const rssMiB = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

class SlowReader {
  received = 0;
  tail = '';
  done = false;
  private readonly socket: Socket;
  private timer: NodeJS.Timeout | null = null;

  constructor(port: number, key: string, n: number) {
    const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: `Reader ${n} asks for a long answer.` }] });
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.on('error', () => (this.done = true));
    this.socket.pause();
    this.socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    this.socket.on('end', () => (this.done = true));
  }

  /** Reads a little now and then. */
  readOn(): void {
    this.timer = setInterval(() => {
      for (let left = READ_BYTES; left > 0; ) {
        const chunk = this.socket.read() as Buffer | null;
        if (chunk === null) return;
        left -= chunk.length;
        this.received += chunk.length;
        this.tail = (this.tail + chunk.toString('latin1')).slice(-64);
      }
    }, READ_EVERY_MS);
  }

  close(): void {
    if (this.timer) clearInterval(this.timer);
    this.socket.destroy();
  }
}

async function peakDuring(pid: number, until: () => boolean, deadlineMs: number): Promise<number> {
  let peak = 0;
  for (const end = Date.now() + deadlineMs; !until() && Date.now() < end; await delay(100)) peak = Math.max(peak, rssMiB(pid));
  return peak;
}

async function measure(cluster: Cluster, provider: FakeProvider, readers: number, megabytes: number): Promise<void> {
  const pid = cluster.pid('gateway') ?? 0;
  const port = Number(new URL(cluster.baseUrl).port);
  const warm = Array.from({ length: 20 }, (_, n) => new SlowReader(port, cluster.key, -n));
  for (const reader of warm) reader.readOn();
  await peakDuring(pid, () => warm.every(({ done }) => done), 60_000);
  for (const reader of warm) reader.close();
  provider.reset();
  const before = rssMiB(pid);
  const slow = Array.from({ length: readers }, (_, n) => new SlowReader(port, cluster.key, n));
  const stalled = await peakDuring(pid, () => false, STALL_MS);
  const handed = provider.requests.map(({ sentBytes }) => sentBytes / MIB);
  for (const reader of slow) reader.readOn();
  const reading = await peakDuring(pid, () => slow.every(({ done }) => done), FINISH_MS);
  const whole = slow.filter(({ tail }) => tail.includes('[DONE]')).length;
  await delay(2000);
  const machine = thisMachine();
  process.stdout.write(
    [
      `${JSON.stringify(machine)}`,
      `${readers} readers of ${megabytes} MB each`,
      '| moment | gateway RSS, MiB | a reader, MiB |',
      '|---|--:|--:|',
      `| before | ${before.toFixed(0)} | |`,
      `| nobody reads for ${STALL_MS / 1000} s, peak | ${stalled.toFixed(0)} | ${((stalled - before) / readers).toFixed(2)} |`,
      `| all read slowly, peak | ${reading.toFixed(0)} | ${((reading - before) / readers).toFixed(2)} |`,
      `| afterwards | ${rssMiB(pid).toFixed(0)} | |`,
      `Taken from the provider while nobody read: ${Math.max(...handed).toFixed(2)} MiB a stream at most, kernel buffers included. Streams that came whole: ${whole} of ${readers}.`,
      '',
    ].join('\n'),
  );
}

async function main(): Promise<void> {
  const [readers = 200, megabytes = 10] = process.argv.slice(2).map(Number);
  await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
  const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  const provider = await fakeProvider({ otherwise: bigStream({ bytes: megabytes * MIB, chunkBytes: 4096 }) });
  let cluster: Cluster | null = null;
  try {
    const configPath = join(dataDir, 'deja.yaml');
    const config = {
      providers: { p: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'bench-credential' }] } },
      models: [{ name: '*', deployments: [{ provider: 'p', model: '*' }] }],
      timeouts: { idle_ms: 300_000, total_ms: 600_000, first_byte_ms: 60_000 },
    };
    await writeFile(configPath, JSON.stringify(config));
    const { PATH, HOME, TMPDIR, LANG } = process.env;
    cluster = await startCluster({ dataDir, port: 0, opsPort: 0, env: { PATH, HOME, TMPDIR, LANG, DEJA_CONFIG: configPath }, output: () => undefined }, { onMade: (made) => void (cluster = made) });
    await measure(cluster, provider, readers, megabytes);
  } finally {
    await cluster?.stop();
    await provider.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await main();
