import { setTimeout as delay } from 'node:timers/promises';
import type { MemberName } from '@deja/launcher';
import type { TestCluster } from '@deja/testing';
import type { LoggedProvider } from './providers.ts';

export interface Fault {
  atMs: number;
  what: string;
}

const KILLED: readonly MemberName[] = ['gateway', 'router', 'semantic-cache', 'usage-worker'];
const REPLICAS = 2;

/** Everything that goes wrong in the time given: a kill every so often, Redis restarted twice, Postgres away for a minute, providers that fail in turns. */
export async function faults(cluster: TestCluster, providers: LoggedProvider[], o: { lastsMs: number; everyMs: number; random: () => number; log: (fault: Fault) => void }): Promise<void> {
  const fromMs = Date.now();
  const happened = (what: string): void => o.log({ atMs: Date.now() - fromMs, what });
  const left = (): number => fromMs + o.lastsMs - Date.now();
  const kills = async (): Promise<void> => {
    while (left() > o.everyMs) {
      await delay(o.everyMs * (0.5 + o.random()));
      const name = KILLED[Math.floor(o.random() * KILLED.length)] ?? 'gateway';
      const n = 1 + Math.floor(o.random() * REPLICAS);
      if (cluster.kill(name, n)) happened(`kill -9 ${name} ${n}`);
    }
  };
  const moods = async (): Promise<void> => {
    for (let turn = 0; left() > 0; turn++) {
      await delay(Math.min(10_000, Math.max(0, left())));
      providers.forEach((provider, i) => (provider.mood = turn % 3 === 0 && i === 0 ? 'failing' : turn % 3 === 1 && i === 1 ? 'limited' : 'well'));
    }
    for (const provider of providers) provider.mood = 'well';
  };
  const services = async (): Promise<void> => {
    await delay(o.lastsMs / 4);
    happened('restart redis');
    await cluster.restart('redis');
    await delay(o.lastsMs / 8);
    const awayMs = Math.min(60_000, o.lastsMs / 6);
    await cluster.suspend('postgres');
    happened(`postgres away for ${Math.round(awayMs / 1000)} s`);
    await delay(awayMs);
    await cluster.resume('postgres');
    await delay(o.lastsMs / 8);
    if (cluster.kill('redis')) happened('kill -9 redis');
  };
  await Promise.all([kills(), moods(), services()]);
}
