import type { Candidate } from '@deja/contracts';
import type { Purse } from './credentials.ts';
import { upstreamOf, type Lane, type Target } from './search.ts';
import type { Part, PoolCredential } from './snapshot-index.ts';

/** A deployment with its usable credentials. */
export interface Group {
  lane: Lane;
  part: Part;
  purse: Pick<Purse, 'count' | 'take'>;
}

/** Those of a deployment that are tried when nothing else is left. */
interface LastResort {
  lane: Lane;
  part: Part;
  credentials: readonly (PoolCredential | null)[];
}

/** The deployments found so far, in the order in which they are to be tried. */
export class Gathering {
  readonly groups: Group[] = [];
  private readonly lastResorts: LastResort[] = [];
  private readonly opened: { part: Part; upstreamModel: string }[] = [];
  private readonly limit: number;
  private sure = 0;

  /** @param limit so many candidates at most. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Whether every candidate that could be taken is there: more deployments would change nothing. */
  get isFull(): boolean {
    return this.sure >= this.limit;
  }

  /** Notes that a deployment's turn has come; false when it had come before, under another public model. */
  open(part: Part, lane: Lane): boolean {
    const upstreamModel = upstreamOf(part, lane);
    for (const before of this.opened) if (before.part.deployment === part.deployment && before.upstreamModel === upstreamModel) return false;
    this.opened.push({ part, upstreamModel });
    return true;
  }

  add(group: Group): void {
    this.sure += sureOf(group, this.groups.length);
    this.groups.push(group);
  }

  /** Behind every group. */
  addLast(lastResort: LastResort): void {
    this.sure += 1;
    this.lastResorts.push(lastResort);
  }

  /** Of the first candidate. */
  get firstLane(): Lane | undefined {
    return (this.groups[0] ?? this.lastResorts[0])?.lane;
  }

  /**
   * To be asked for once. At most `limit` candidates, of which the first `attempts` are likely to be all that is tried: the first deployment has two of
   * them and each further one is sure of one before any gets more, so that many credentials of one deployment do not use up every
   * attempt. What follows is spread in the same way over the whole.
   * Last resorts only get what room is left, one of each deployment before any gives more.
   */
  candidates(attempts: number): Candidate[] {
    const first = this.shares(Math.min(attempts, this.limit));
    const all = this.shares(this.limit);
    const chosen: Candidate[] = [];
    this.groups.forEach((group, n) => push(chosen, group, first[n] ?? 0));
    this.groups.forEach((group, n) => push(chosen, group, (all[n] ?? 0) - (first[n] ?? 0)));
    return chosen.length < this.limit && this.lastResorts.length > 0 ? [...chosen, ...this.last()].slice(0, this.limit) : chosen;
  }

  private last(): Candidate[] {
    const of = ({ lane, part, credentials }: LastResort): Candidate[] => credentials.map((credential) => candidateOf(lane, part, credential));
    const candidates = this.lastResorts.map(of);
    return [...candidates.flatMap((ofOne) => ofOne.slice(0, 1)), ...candidates.flatMap((ofOne) => ofOne.slice(1))];
  }

  /** How many candidates each group gives when there is room for so many. */
  private shares(room: number): number[] {
    let left = room;
    const shares = this.groups.map((group, n) => {
      const share = Math.min(sureOf(group, n), left);
      left -= share;
      return share;
    });
    return shares.map((share, n) => {
      if (left === 0) return share;
      const more = (this.groups[n]?.purse.count(share + left) ?? share) - share;
      left -= more;
      return share + more;
    });
  }
}

export function candidateOf(target: Target, part: Part, credential: PoolCredential | null): Candidate {
  return { model: target.name, deployment: credential?.deployment ?? part.deployment, credential: credential?.ref ?? null, upstreamModel: upstreamOf(part, target) };
}

function push(chosen: Candidate[], { lane, part, purse }: Group, count: number): void {
  for (let n = 0; n < count; n++) chosen.push(candidateOf(lane, part, purse.take()));
}

const sureOf = ({ purse }: Group, place: number): number => purse.count(place === 0 ? 2 : 1);
