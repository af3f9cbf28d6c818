import { during, type Evidence, type Fault, type Try } from './evidence.ts';

/** Until everybody knows of a kill, and connections that were just opened broke too. */
const KILL_MS = { before: 100, after: 2000 };
/** Codes of refusals that only who is held to a limit or a budget may get. 503: while Redis is away, of a budget nobody can tell. */
const REFUSALS = new Set(['rate_limit_exceeded', 'budget_exceeded', 'overloaded']);
const HELD = new Set(['limited', 'narrow', 'poor']);

export type Outcome = 'ok' | 'left' | 'refused' | 'failed';

/** What came of one request. A stream that its client did not leave has failed unless it says that it is complete. */
export function outcomeOf({ status, ended, stream, isComplete, errorCode, asker }: Try): Outcome {
  if (ended === 'left') return 'left';
  if (status !== null && status >= 400) return HELD.has(asker) && errorCode !== null && REFUSALS.has(errorCode) ? 'refused' : 'failed';
  return status === 200 && ended === 'whole' && (!stream || isComplete) ? 'ok' : 'failed';
}

/** Why a failure is none of deja's; null where a provider could have served it. */
export function excuseOf(request: Try, faults: readonly Fault[]): 'in flight on a killed gateway' | 'its provider broke off in the middle' | null {
  const { gateway, startMs, endMs, status, stream, provider, isComplete } = request;
  const isBroken = status === null || (status === 200 && !isComplete);
  const killed = faults.some((fault) => fault.target === 'gateway' && fault.kind === 'kill' && fault.n === gateway + 1 && fault.startMs <= endMs + KILL_MS.before && startMs <= fault.startMs + KILL_MS.after);
  if (isBroken && killed) return 'in flight on a killed gateway';
  // What was sent cannot be taken back, and another provider's answer is never put behind it.
  const wasCut = stream && status === 200 && !isComplete && faults.some((fault) => fault.target === 'provider' && 'ab'[fault.n - 1] === provider && fault.startMs <= endMs && startMs <= fault.endMs + KILL_MS.after);
  return wasCut ? 'its provider broke off in the middle' : null;
}

export interface Served {
  outcomes: Record<Outcome, number>;
  excused: Record<string, number>;
  /** Sentences. */
  failures: string[];
  /** The part of the failures that fell into a restart. */
  inRestarts: string[];
}

/** Every request of the load, and what came of it. */
export function served({ tries, faults, fromMs }: Pick<Evidence, 'tries' | 'faults' | 'fromMs'>): Served {
  const found: Served = { outcomes: { ok: 0, left: 0, refused: 0, failed: 0 }, excused: {}, failures: [], inRestarts: [] };
  for (const request of tries) {
    const outcome = outcomeOf(request);
    if (outcome !== 'failed') {
      found.outcomes[outcome] += 1;
      continue;
    }
    const excuse = excuseOf(request, faults);
    if (excuse !== null) {
      found.excused[excuse] = (found.excused[excuse] ?? 0) + 1;
      continue;
    }
    found.outcomes.failed += 1;
    const then = faults.filter((fault) => during(fault, request.startMs, request.endMs));
    const sentence = `${request.mark}.${request.t} (${request.asker}${request.stream ? ', streamed' : ''}) at gateway ${request.gateway + 1}, ${((request.startMs - fromMs) / 1000).toFixed(1)}–${((request.endMs - fromMs) / 1000).toFixed(1)} s: `
      + `${request.status ?? 'no answer'} ${request.errorCode ?? ''} ${request.why ?? (request.stream ? 'without an end' : '')}, during ${then.map(nameOf).join(' and ') || 'calm'}`;
    found.failures.push(sentence);
    if (then.some(({ kind }) => kind === 'restart')) found.inRestarts.push(sentence);
  }
  return found;
}

export const nameOf = ({ target, kind, n }: Pick<Fault, 'target' | 'kind' | 'n'>): string => `${kind} of ${target} ${n}`;
