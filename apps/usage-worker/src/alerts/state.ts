/** What one evaluation knows of an alert. `unknown`: nothing can be said, which is neither above nor fine. */
export type Evidence = { kind: 'above' | 'fine'; value: number; threshold: number } | { kind: 'unknown' };

/** How an alert stands. There is none for what is fine. Moments are Unix ms. */
export interface AlertState {
  phase: 'pending' | 'firing';
  /** Of the last evidence. */
  value: number;
  threshold: number;
  /** Since when it holds without a break. */
  sinceMs: number;
  firingSinceMs: number | null;
  /** When it was last above. */
  exceededAtMs: number;
  /** Since when it has been over; null while it is not. */
  fineSinceMs: number | null;
  /** Since when nothing can be said; null while something can. */
  unknownSinceMs: number | null;
  /** The last evidence that said something. */
  seenAtMs: number;
  /** When receivers were last told that it fires; null: they were not. */
  toldAtMs: number | null;
  /** The silence because of which nobody was told; null where somebody was, or nothing was to be told. */
  silencedBy: string | null;
}

/** What is to be told of an alert. */
export interface Told {
  state: 'firing' | 'resolved';
  value: number | null;
  threshold: number;
  /** When `value` was seen; null for an end: it is of that moment. */
  seenAtMs: number | null;
  startedAtMs: number;
  resolvedAtMs: number | null;
  /** It is written down and nobody is told. */
  silencedBy: string | null;
}

export interface Patience {
  /** How long it must hold before it fires. */
  forMs: number;
  /** How long it must have been over before it is resolved. */
  clearMs: number;
  /** A firing alert is told again after so long; null: it is not. */
  repeatMs: number | null;
  /** An alert that nothing was said of for so long is over. */
  unknownMs: number;
}

/** Evidence that is further apart says nothing of the time between: what had to hold, or be over, begins anew. */
export const GAP_MS = 180_000;

export interface Step {
  state: AlertState | null;
  told: Told | null;
}

/**
 * The alert after one evaluation: pending → firing → resolved. `silence`: id of the silence that is in force for it, if any. Doing the same again with
 * the state that came of it changes nothing and tells nobody: what was stored may be evaluated again, by anybody.
 */
export function nextState(state: AlertState | null, evidence: Evidence, patience: Patience, silence: string | null, nowMs: number): Step {
  if (evidence.kind === 'unknown') return state === null ? { state, told: null } : unknown(state, patience, silence, nowMs);
  if (evidence.kind === 'fine') return state === null ? { state, told: null } : fine(state, evidence, patience, silence, nowMs);
  return above(state, evidence, patience, silence, nowMs);
}

/** The end of an alert whose rule is gone, off, or another one. */
export function closed(state: AlertState, silence: string | null, nowMs: number): Step {
  return ended({ ...state }, null, silence, nowMs);
}

function above(before: AlertState | null, { value, threshold }: { value: number; threshold: number }, patience: Patience, silence: string | null, nowMs: number): Step {
  const seen = { value, threshold, exceededAtMs: nowMs, fineSinceMs: null, unknownSinceMs: null, seenAtMs: nowMs };
  const fresh: AlertState = { phase: 'pending', sinceMs: nowMs, firingSinceMs: null, toldAtMs: null, silencedBy: null, ...seen };
  const goesOn = before !== null && (before.phase === 'firing' || nowMs - before.exceededAtMs <= GAP_MS);
  const state: AlertState = goesOn ? { ...before, ...seen } : fresh;
  if (state.phase === 'pending' && nowMs - state.sinceMs < patience.forMs) return { state, told: null };
  const firing: AlertState = { ...state, phase: 'firing', firingSinceMs: state.firingSinceMs ?? nowMs };
  return tell(firing, patience, silence, nowMs);
}

/** A firing alert that was not told yet, or not for so long that it is told again. */
function tell(state: AlertState, { repeatMs }: Pick<Patience, 'repeatMs'>, silence: string | null, nowMs: number): Step {
  const { toldAtMs, silencedBy } = state;
  if (silence !== null) {
    // Written down once, under the silence that it began in.
    if (toldAtMs !== null || silencedBy !== null) return { state, told: null };
    return { state: { ...state, silencedBy: silence }, told: firingOf(state, silence) };
  }
  const isDue = toldAtMs === null || (repeatMs !== null && nowMs - toldAtMs >= repeatMs);
  if (!isDue) return { state, told: null };
  return { state: { ...state, toldAtMs: nowMs, silencedBy: null }, told: firingOf(state, null) };
}

const firingOf = ({ value, threshold, seenAtMs, firingSinceMs, sinceMs }: AlertState, silencedBy: string | null): Told =>
  ({ state: 'firing', value, threshold, seenAtMs, startedAtMs: firingSinceMs ?? sinceMs, resolvedAtMs: null, silencedBy });

function fine(before: AlertState, { value, threshold }: { value: number; threshold: number }, { clearMs }: Patience, silence: string | null, nowMs: number): Step {
  if (before.phase === 'pending') return { state: null, told: null };
  const goesOn = before.fineSinceMs !== null && nowMs - before.seenAtMs <= GAP_MS;
  const fineSinceMs = goesOn ? (before.fineSinceMs ?? nowMs) : nowMs;
  const state: AlertState = { ...before, value, threshold, fineSinceMs, unknownSinceMs: null, seenAtMs: nowMs };
  return nowMs - fineSinceMs >= clearMs ? ended(state, value, silence, nowMs) : { state, told: null };
}

function unknown(before: AlertState, patience: Patience, silence: string | null, nowMs: number): Step {
  const unknownSinceMs = before.unknownSinceMs ?? nowMs;
  const state: AlertState = { ...before, unknownSinceMs };
  if (nowMs - unknownSinceMs >= patience.unknownMs) return ended(state, null, silence, nowMs);
  // A silence is over, and it fires still as far as anybody knows.
  const isUntold = state.phase === 'firing' && state.toldAtMs === null && state.fineSinceMs === null;
  return isUntold ? tell(state, { repeatMs: null }, silence, nowMs) : { state, told: null };
}

/** Who was never told of it is not told of its end either. */
function ended({ phase, threshold, firingSinceMs, sinceMs, toldAtMs, silencedBy }: AlertState, value: number | null, silence: string | null, nowMs: number): Step {
  if (phase === 'pending') return { state: null, told: null };
  const by = toldAtMs === null ? (silencedBy ?? silence) : silence;
  return { state: null, told: { state: 'resolved', value, threshold, seenAtMs: null, startedAtMs: firingSinceMs ?? sinceMs, resolvedAtMs: nowMs, silencedBy: by } };
}
