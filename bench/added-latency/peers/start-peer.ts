import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, poll, startRedis, SupervisedProcess } from '@deja/launcher';
import { installPackages } from './packages.ts';
import type { Peer, RunningPeer } from './peer.ts';

const READY_MS = 30_000;
const STOP_GRACE_MS = 3000;
const LAST_WORDS = 20;

/** Installs what it needs, starts it, and waits until it answers. What was begun is stopped again where that fails. */
export async function startPeer(peer: Peer, providerPort: number): Promise<RunningPeer> {
  const packages = peer.packages === undefined ? '' : await installPackages(peer.name, peer.packages);
  const port = await freePort();
  const redis = JSON.stringify(peer).includes('{redis}') ? await ownRedis() : null;
  const values: Record<string, string> = {
    node: process.execPath, bench: fileURLToPath(new URL('.', import.meta.url)), packages, port: String(port),
    provider: `http://127.0.0.1:${providerPort}/v1`, provider_port: String(providerPort), redis: redis?.url ?? '',
  };
  const fill = (text: string): string => text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  const fillAll = (given: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(given).map(([name, text]) => [name, fill(text)]));
  const said: string[] = [];
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  const [command = '', ...args] = peer.command.map(fill);
  const server = new SupervisedProcess({
    name: peer.name, command, args, env: { PATH, HOME, TMPDIR, LANG, NODE_ENV: 'production', ...fillAll(peer.env) },
    onLine: (line) => said.push(line),
    mayRestart: () => false,
  });
  const stop = async (): Promise<void> => {
    await server.stop(STOP_GRACE_MS);
    await redis?.stop();
  };
  const lastWords = (): string => said.slice(-LAST_WORDS).join('\n');
  await server.start();
  const ready = await poll(() => (server.wanted ? answers(port, peer.ready) : 'gone'), { deadlineMs: READY_MS, everyMs: 50 });
  if (ready !== 'ready') {
    await stop();
    throw new Error(`it did not start; it said: ${lastWords()}`);
  }
  const target = { port, key: peer.key, path: peer.path, headers: fillAll(peer.headers) };
  return {
    name: peer.name, does: peer.does, cache: peer.cache, lastWords, stop,
    target: () => target,
    processes: () => ({ gateway: server.pid ?? 0, others: [], redis: redis?.pid() ?? null, postgres: null }),
  };
}

async function ownRedis(): Promise<{ url: string; pid: () => number | null; stop: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'deja-bench-redis-'));
  const redis = await startRedis({ dir });
  return {
    url: redis.url,
    pid: () => redis.pid,
    stop: async () => {
      await redis.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function answers(port: number, path: string): Promise<'ready' | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    await response.arrayBuffer();
    return 'ready';
  } catch {
    return null; // not listening yet
  }
}
