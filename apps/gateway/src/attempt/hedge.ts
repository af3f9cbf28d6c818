import type { Candidate } from '@deja/contracts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import { AttemptFailure } from './failure.ts';

const WINDOW_S = 60;
/** Names of models may be the clients' own (a model `*`): the ones that were not heard of for longest are forgotten. */
const MOST_MODELS = 1000;

interface Counted {
  /** By second, the oldest first. */
  seconds: { atS: number; requests: number; hedges: number }[];
  requestsSinceHedge: number;
}

/**
 * How many requests get a second call beside the first: within the last minute at most `maxShare` of them, and where there are
 * too few for that, one in every `1 / maxShare`. Over any time, hedges are at most `maxShare` of the requests.
 */
export class HedgeShare {
  private readonly models = new Map<string, Counted>();

  /** A request that may be hedged has come. */
  request(model: string, nowMs: number): void {
    const counted = this.counted(model, nowMs);
    counted.requestsSinceHedge += 1;
    secondOf(counted, nowMs).requests += 1;
  }

  /** Takes one hedge; false when there is none. */
  take(model: string, maxShare: number, nowMs: number): boolean {
    const counted = this.counted(model, nowMs);
    const sum = (what: 'requests' | 'hedges'): number => counted.seconds.reduce((total, second) => total + second[what], 0);
    const within = sum('hedges') + 1 <= maxShare * sum('requests');
    if (!within && counted.requestsSinceHedge * maxShare < 1) return false;
    counted.requestsSinceHedge = 0;
    secondOf(counted, nowMs).hedges += 1;
    return true;
  }

  private counted(model: string, nowMs: number): Counted {
    const counted = this.models.get(model) ?? { seconds: [], requestsSinceHedge: 0 };
    this.models.delete(model);
    this.models.set(model, counted);
    const [oldest] = this.models.keys();
    if (this.models.size > MOST_MODELS && oldest !== undefined) this.models.delete(oldest);
    const fromS = Math.floor(nowMs / 1000) - WINDOW_S;
    while (counted.seconds[0] !== undefined && counted.seconds[0].atS <= fromS) counted.seconds.shift();
    return counted;
  }
}

function secondOf({ seconds }: Counted, nowMs: number): Counted['seconds'][number] {
  const atS = Math.floor(nowMs / 1000);
  const last = seconds.at(-1);
  if (last !== undefined && last.atS >= atS) return last; // also where the clock was set back
  const second = { atS, requests: 0, hedges: 0 };
  seconds.push(second);
  return second;
}

/** A call under way. `answer` rejects with an AttemptFailure, and then the call has ended. */
export interface Runner {
  candidate: Candidate;
  call: Call;
  answer: Promise<Answer>;
  /** Parameters that were left out for this provider. */
  dropped: string[];
}

/** What became of one call. */
export type Outcome = { runner: Runner; answer: Answer; failure?: never } | { runner: Runner; answer?: never; failure: AttemptFailure };

/** A second call, should the first take long. */
export interface Hedge {
  /** Resolves when it does; a rejection is taken for never. */
  due: Promise<void>;
  /** Begins it; null when there is nobody for it. */
  second(): Promise<Runner | null>;
}

/**
 * One call, or two: the first to answer wins, and the other is cancelled. One that fails leaves the matter to the other, unless
 * nobody could mend its failure.
 * @returns failures in the order in which they came, or the answer after at most one
 */
export async function contest(first: Runner, hedge: Hedge | null = null): Promise<Outcome[]> {
  const ofFirst = outcomeOf(first);
  if (hedge === null) return [await ofFirst];
  const never = new Promise<never>(() => undefined);
  const early = await Promise.race([ofFirst, hedge.due.then(() => null, () => never)]);
  if (early !== null) return [early];
  const beside = first.call.record.firstByteMs === null ? await hedge.second() : null;
  if (beside === null) return [await ofFirst];
  const ofBeside = outcomeOf(beside);
  const one = await Promise.race([ofFirst, ofBeside]);
  const [other, ofOther] = one.runner === first ? [beside, ofBeside] : [first, ofFirst];
  if (one.failure?.retryable) return [one, await ofOther];
  giveUp(other);
  return [one];
}

const outcomeOf = (runner: Runner): Promise<Outcome> =>
  runner.answer.then(
    (answer) => ({ runner, answer }),
    (failure: unknown) => ({ runner, failure: failure instanceof AttemptFailure ? failure : new AttemptFailure('network', { cause: failure }) }),
  );

/** Its record is closed at once, because the operation may be settled before its connection is. */
function giveUp({ call, answer }: Runner): void {
  const lost = new AttemptFailure('cancelled');
  call.finish(lost);
  answer.then((late) => (late.kind === 'stream' ? late.finish(lost) : undefined), () => undefined);
}
