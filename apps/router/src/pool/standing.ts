import type { AttemptOutcome } from '@deja/contracts';
import { breakerAfter, EMPTY_WINDOW, type BreakerRules, type CallWindow } from './breaker.ts';
import { credentialVerdict, deploymentVerdict, healthAfter, timesOf, type Health, type Moment } from './health.ts';
import { latencyAfter, type Latency } from './latency.ts';

/** All that is known of a credential or a deployment; of a credential only its health. */
export interface Standing {
  health: Health | null;
  window: CallWindow | null;
  latency: Latency | null;
}

const NOTHING: Standing = { health: null, window: null, latency: null };

/** What is known of a credential after one more outcome; the same object when nothing changed, null when there is nothing. */
export function credentialAfter(standing: Standing | null, outcome: AttemptOutcome, at: Moment): Standing | null {
  return withHealth(standing, healthAfter(standing?.health ?? null, credentialVerdict(outcome), outcome, at));
}

/** The same for a deployment. */
export function deploymentAfter(standing: Standing | null, outcome: AttemptOutcome, rules: BreakerRules, at: Moment): Standing | null {
  const verdict = deploymentVerdict(outcome);
  if (verdict === null) return standing;
  const before = standing ?? NOTHING;
  if (verdict !== 'healthy' && verdict !== 'failing') return withHealth(standing, healthAfter(before.health, verdict, outcome, at));

  const times = timesOf(outcome, at.nowMs);
  const failed = verdict === 'failing';
  const { health, window } = breakerAfter({ health: before.health, window: before.window ?? EMPTY_WINDOW }, { ...times, failed }, rules, at.random);
  // A breaker has closed itself where it may; a rate limit of a deployment without credentials has its own rule.
  const isOfAccount = health !== null && health.trouble !== 'failing';
  const sampleMs = outcome.failure === null ? outcome.firstByteMs : null;
  return {
    health: isOfAccount && !failed ? healthAfter(health, 'healthy', outcome, at) : health,
    window,
    latency: sampleMs === null ? before.latency : latencyAfter(before.latency, sampleMs, times.endedMs),
  };
}

function withHealth(standing: Standing | null, health: Health | null): Standing | null {
  if (health === (standing?.health ?? null)) return standing;
  const after = { ...(standing ?? NOTHING), health };
  return isEmpty(after) ? null : after;
}

export const isEmpty = ({ health, window, latency }: Standing): boolean => health === null && window === null && latency === null;
