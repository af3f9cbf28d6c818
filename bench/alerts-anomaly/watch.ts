import { compared, usualAt, usualOver, type Sensitivity, type Usual } from '../../apps/usage-worker/src/alerts/anomaly.ts';
import { nextState, type AlertState } from '../../apps/usage-worker/src/alerts/state.ts';
import { FIRST_WATCHED, STEP_MS, STEPS, STEPS_AN_HOUR, type SimulatedKey } from './world.ts';

const STEPS_A_QUARTER = 3;
const HOUR_MS = 3_600_000;

/** What is known of a key at each hour that is watched: the same whatever one calls a spike. */
export interface Watched {
  key: SimulatedKey;
  /** By hour from the beginning. */
  usual: Map<number, Usual | null>;
  /** Sums of all steps before. */
  sums: Float64Array;
}

export function watched(key: SimulatedKey): Watched {
  const sums = new Float64Array(STEPS + 1);
  for (let i = 0; i < STEPS; i += 1) sums[i + 1] = (sums[i] ?? 0) + (key.tokens[i] ?? 0);
  const amounts = Array.from({ length: STEPS / STEPS_AN_HOUR }, (_, hour) => Math.round(between(sums, hour * STEPS_AN_HOUR, (hour + 1) * STEPS_AN_HOUR)));
  const active = amounts.flatMap((amount, hour) => (amount > 0 ? [hour] : []));
  const history = { hours: active, amounts: active.map((at) => amounts[at] ?? 0) };
  const usual = new Map<number, Usual | null>();
  for (let hour = FIRST_WATCHED / STEPS_AN_HOUR - 1; hour < STEPS / STEPS_AN_HOUR; hour += 1) {
    usual.set(hour, usualAt(history, hour));
  }
  return { key, usual, sums };
}

const between = (sums: Float64Array, from: number, to: number): number => (sums[to] ?? 0) - (sums[from] ?? 0);

/** A stretch in which the alert fired. Steps; `to` is exclusive. */
export interface Firing {
  from: number;
  to: number;
}

/** When a rule with these settings fires, evaluated at the end of each step as the usage-worker evaluates. */
export function firings({ usual, sums }: Watched, sensitivity: Sensitivity, patience: { forMs: number; clearMs: number }): Firing[] {
  const found: Firing[] = [];
  let state: AlertState | null = null;
  for (let now = FIRST_WATCHED; now <= STEPS; now += 1) {
    const from = Math.floor(now / STEPS_A_QUARTER) * STEPS_A_QUARTER - 3 * STEPS_A_QUARTER;
    const hours = [...new Set([Math.floor(from / STEPS_AN_HOUR), Math.floor(now / STEPS_AN_HOUR)])].filter((hour) => hour * STEPS_AN_HOUR < now);
    const normal = usualOver(hours.map((hour) => ({ usual: usual.get(hour) ?? null, share: (Math.min(now, (hour + 1) * STEPS_AN_HOUR) - Math.max(from, hour * STEPS_AN_HOUR)) / STEPS_AN_HOUR })));
    const reading = normal && compared(between(sums, from, now), normal, sensitivity);
    const evidence = reading === null ? ({ kind: 'unknown' } as const) : { kind: reading.value > reading.threshold ? ('above' as const) : ('fine' as const), ...reading };
    // Evaluations are ten seconds apart; five minutes are no gap to these.
    const wasFiring = state?.phase === 'firing';
    state = nextState(state === null ? null : { ...(state as AlertState), seenAtMs: now * STEP_MS, exceededAtMs: now * STEP_MS }, evidence, { ...patience, repeatMs: null, unknownMs: HOUR_MS }, null, now * STEP_MS).state;
    const isFiring = state?.phase === 'firing';
    if (isFiring && !wasFiring) found.push({ from: now, to: now });
    const last = found.at(-1);
    if (isFiring && last !== undefined) last.to = now + 1;
  }
  return found;
}
