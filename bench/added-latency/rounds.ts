import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Effort } from './cases.ts';
import { DIRECT, medianOf, type CaseResult, type Figures } from './figures.ts';
import type { Load } from './helper-process.ts';
import type { RunningPeer } from './peers/peer.ts';
import { percentiles } from './report.ts';
import { cpuPerRequest, idle } from './spent.ts';
import type { Kind, Result, Target, Work } from './work.ts';

const FILLING_CONNECTIONS = 16;
/** Which caches answer so. */
const ABLE: Record<Case['outcome'], readonly RunningPeer['cache'][]> = { MISS: [null, 'exact', 'semantic'], 'HIT-EXACT': ['exact', 'semantic'], 'HIT-SEMANTIC': ['semantic'] };

interface Turn {
  figures: Figures;
  result: Result;
}

/** Measures cases with all peers in turns, and with direct calls of the provider among them. */
export class Rounds {
  private readonly load: Load;
  private readonly direct: Target;
  private readonly peers: readonly RunningPeer[];
  private readonly effort: Effort;

  constructor(load: Load, providerPort: number, peers: readonly RunningPeer[], effort: Effort) {
    this.load = load;
    this.direct = { port: providerPort, key: 'bench' };
    this.peers = peers;
    this.effort = effort;
  }

  /** Everybody has compiled what it runs, knows the answer that is a hit, and has the entries among which is looked. */
  async prepare(cases: readonly Case[]): Promise<void> {
    const { warmUpMs, entries } = this.effort;
    for (const peer of this.peers) {
      for (const kind of ['whole', 'stream'] as const) await this.load.perform({ ...this.work(peer, kind, 'MISS'), connections: FILLING_CONNECTIONS, durationMs: warmUpMs / 2 });
    }
    for (const peer of this.peers) {
      if (peer.cache !== null) await this.load.perform({ ...this.work(peer, 'repeat', 'MISS'), connections: 1, count: 1 });
    }
    for (const peer of this.peers.filter(({ cache }) => cache === 'semantic')) {
      if (!cases.some(({ kind }) => kind === 'crowded' || kind === 'reworded')) continue;
      await this.load.perform({ ...this.work(peer, 'crowded', 'MISS'), connections: FILLING_CONNECTIONS, count: entries });
      await idle(peer, this.effort);
      // A semantic cache that checks itself does so most while it knows little.
      await this.load.perform({ target: peer.target('reworded'), kind: 'reworded', connections: 1, count: this.effort.perTurn });
    }
    for (const peer of this.peers) await idle(peer, this.effort);
  }

  /** All rounds of all cases: each round has every case, and each case all sides, beginning with another one each time. */
  async measure(cases: readonly Case[], onCase: (one: Case, round: number) => void): Promise<CaseResult[]> {
    const results = cases.map(({ name, title, load }): CaseResult => ({ name, title, load, sides: {} }));
    for (let round = 0; round < this.effort.rounds; round++) {
      for (const [at, one] of cases.entries()) {
        onCase(one, round);
        const sides = results[at]?.sides ?? {};
        for (const [name, { figures, result }] of await this.measureCase(one, round)) {
          const side = (sides[name] ??= { median: figures, rounds: [], reasons: {}, unexpected: {} });
          side.rounds.push(figures);
          side.median = medianOf(side.rounds);
          addCounts(side.reasons, result.reasons);
          addCounts(side.unexpected, result.unexpected);
        }
      }
    }
    return results;
  }

  private async measureCase(one: Case, round: number): Promise<Map<string, Turn>> {
    const measured = this.peers.filter(({ cache }) => ABLE[one.outcome].includes(cache));
    const all = one.outcome === 'MISS' || one.load.how === 'one-by-one' ? [null, ...measured] : measured;
    const inOrder = [...all.slice(round % all.length), ...all.slice(0, round % all.length)];
    if (one.load.how === 'one-by-one') return this.oneByOne(one, one.load.measure, inOrder);
    const turns = new Map<string, Turn>();
    for (const peer of inOrder) turns.set(nameOf(peer), await this.loaded(one, peer));
    return turns;
  }

  private async oneByOne(one: Case, measure: 'durationsMs' | 'firstByteMs', sides: readonly (RunningPeer | null)[]): Promise<Map<string, Turn>> {
    const results = new Map(sides.map((peer) => [nameOf(peer), emptyResult()]));
    const count = measure === 'firstByteMs' ? Math.ceil(this.effort.perTurn / 3) : this.effort.perTurn;
    for (let turn = 0; turn < this.effort.turns; turn++) {
      for (const peer of sides) {
        const result = await this.load.perform({ ...this.work(peer, one.kind, one.outcome), connections: 1, count });
        append(results.get(nameOf(peer)) ?? emptyResult(), result);
        await delay(this.effort.pauseMs);
      }
    }
    const direct = percentiles(results.get(DIRECT)?.[measure] ?? []);
    return new Map([...results].map(([name, result]): [string, Turn] => {
      const { p50, p99 } = percentiles(result[measure]);
      const added = name === DIRECT ? {} : { addedP50Ms: p50 - direct.p50, addedP99Ms: p99 - direct.p99 };
      return [name, { result, figures: { requests: result.durationsMs.length, p50Ms: p50, p99Ms: p99, ...added } }];
    }));
  }

  private async loaded(one: Case, peer: RunningPeer | null): Promise<Turn> {
    const { load } = one;
    const before = peer === null ? null : await idle(peer, this.effort);
    const result = await this.load.perform({ ...this.work(peer, one.kind, one.outcome), ...this.loadOf(load) });
    // What the requests cause is paid for later, too: the ledger, the semantic index.
    const after = peer === null ? null : await idle(peer, this.effort);
    const requests = result.durationsMs.length;
    const { p50, p99 } = percentiles(result.durationsMs);
    const gaps = percentiles(result.longestGapMs);
    return {
      result,
      figures: {
        requests, perSecond: (requests * 1000) / result.elapsedMs, p50Ms: p50, p99Ms: p99,
        ...(load.how === 'streams' && { gapP50Ms: gaps.p50, gapP99Ms: gaps.p99 }),
        ...(before !== null && after !== null && cpuPerRequest(before, after, requests)),
      },
    };
  }

  private loadOf(load: Case['load']): Pick<Work, 'connections' | 'durationMs' | 'perSecond'> {
    if (load.how === 'open') return { connections: FILLING_CONNECTIONS, perSecond: load.perSecond, durationMs: this.effort.openMs };
    return { connections: load.how === 'one-by-one' ? 1 : load.clients, durationMs: this.effort.closedMs };
  }

  private work(peer: RunningPeer | null, kind: Kind, outcome: Case['outcome']): Pick<Work, 'target' | 'kind' | 'expectCache'> {
    if (peer === null) return { target: this.direct, kind };
    return { target: peer.target(kind), kind, ...(peer.cache !== null && { expectCache: outcome }) };
  }
}

const nameOf = (peer: RunningPeer | null): string => peer?.name ?? DIRECT;
const emptyResult = (): Result => ({ durationsMs: [], firstByteMs: [], longestGapMs: [], elapsedMs: 0, reasons: {}, unexpected: {} });

function append(all: Result, more: Result): void {
  all.durationsMs.push(...more.durationsMs);
  all.firstByteMs.push(...more.firstByteMs);
  addCounts(all.reasons, more.reasons);
  addCounts(all.unexpected, more.unexpected);
}

function addCounts(all: Record<string, number>, more: Record<string, number>): void {
  for (const [what, count] of Object.entries(more)) all[what] = (all[what] ?? 0) + count;
}
