import type { AttemptOutcome } from '@deja/contracts';
import { breakerAfter, EMPTY_WINDOW, windowAfter, type BreakerRules, type CallWindow } from './breaker.ts';
import { credentialVerdict, deploymentVerdict, healthAfter, timesOf, type Health, type Moment } from './health.ts';
import { latencyAfter, type Latency } from './latency.ts';
import { failsAlone, failuresAreOfCredentials, usesAfter, type Uses } from './uses.ts';

/** All that is known of a credential or a deployment. A credential has no latency and no uses. */
export interface Standing {
  health: Health | null;
  /** Of a deployment, the calls to its own address. Of a credential, those to an address of its own, or those that it alone failed with. */
  window: CallWindow | null;
  latency: Latency | null;
  /** Calls to addresses of credentials, which say nothing of the deployment. */
  elsewhere: CallWindow | null;
  /** By whom it was used, where there are several. */
  uses: Uses | null;
}

/** What was called. */
export interface Called {
  /** `id@version` of the credential, where the deployment has others besides; else null. */
  key: string | null;
  /** The credential has an address of its own: its failures there are its own. */
  isElsewhere: boolean;
}

const NOTHING: Standing = { health: null, window: null, latency: null, elsewhere: null, uses: null };

/** What is known of a credential after one more outcome; the same object when nothing changed, null when there is nothing. `deployment`: after the same outcome. */
export function credentialAfter(standing: Standing | null, outcome: AttemptOutcome, { key, isElsewhere }: Called, deployment: Standing | null, rules: BreakerRules, at: Moment): Standing | null {
  const { health, window } = standing ?? NOTHING;
  const verdict = credentialVerdict(outcome);
  const isFailing = health?.trouble === 'failing';
  // A breaker closes itself where it may.
  const after = isFailing && verdict === 'healthy' ? standing : withHealth(standing, healthAfter(health, verdict, outcome, at));

  const ofAnswer = deploymentVerdict(outcome);
  if (ofAnswer !== 'failing' && ofAnswer !== 'healthy') return after;
  const call = { ...timesOf(outcome, at.nowMs), failed: ofAnswer === 'failing' };
  const isAlone = call.failed && key !== null && failsAlone(deployment?.uses ?? {}, key, windowFromMs(call.endedMs, rules));
  // Where it shares the address, only what it alone fails with is counted, and how that ends.
  if (!isElsewhere && !isFailing && !isAlone && (call.failed || window === null)) return after;
  const breaker = breakerAfter({ health: after?.health ?? null, window: window ?? EMPTY_WINDOW }, call, rules, at.random);
  const isOver = !isElsewhere && !call.failed && breaker.health?.trouble !== 'failing';
  return unlessEmpty({ ...(after ?? NOTHING), health: breaker.health, window: isOver ? null : breaker.window });
}

/** The same for a deployment. */
export function deploymentAfter(standing: Standing | null, outcome: AttemptOutcome, { key, isElsewhere }: Called, rules: BreakerRules, at: Moment): Standing | null {
  const verdict = deploymentVerdict(outcome);
  if (verdict === null) return standing;
  const before = standing ?? NOTHING;
  if (verdict !== 'healthy' && verdict !== 'failing') return withHealth(standing, healthAfter(before.health, verdict, outcome, at));

  const call = { ...timesOf(outcome, at.nowMs), failed: verdict === 'failing' };
  const fromMs = windowFromMs(call.endedMs, rules);
  const sampleMs = outcome.failure === null ? outcome.firstByteMs : null;
  const latency = sampleMs === null ? before.latency : latencyAfter(before.latency, sampleMs, call.endedMs);
  // That another address fails speaks against nobody here; that it answers shows that it is not everything that fails.
  const uses = key === null || (isElsewhere && call.failed) ? before.uses : usesAfter(before.uses ?? {}, key, call, fromMs);
  const { health, window } = breakerAfter({ health: before.health, window: before.window ?? EMPTY_WINDOW }, call, rules, at.random);
  if (isElsewhere) {
    // After its pause whoever answers ends it.
    const ended = !call.failed && before.health?.trouble === 'failing' && health === null && { health, window: { ...EMPTY_WINDOW, sinceMs: call.beganMs } };
    return { ...before, latency, uses, elsewhere: windowAfter(before.elsewhere ?? EMPTY_WINDOW, call, rules.window_s), ...ended };
  }
  const isOfCredentials = call.failed && uses !== null && failuresAreOfCredentials(uses, fromMs);
  // A breaker has closed itself where it may; a rate limit of a deployment without credentials has its own rule.
  const isOfAccount = health !== null && health.trouble !== 'failing';
  const ofAccount = isOfAccount && !call.failed ? healthAfter(health, 'healthy', outcome, at) : health;
  return { ...before, health: isOfCredentials ? before.health : ofAccount, window, latency, uses };
}

const windowFromMs = (endedMs: number, { window_s: windowS }: BreakerRules): number => endedMs - windowS * 1000;

function withHealth(standing: Standing | null, health: Health | null): Standing | null {
  if (health === (standing?.health ?? null)) return standing;
  return unlessEmpty({ ...(standing ?? NOTHING), health });
}

/** Null where nothing is known. */
export const unlessEmpty = (standing: Standing): Standing | null => (Object.values(standing).every((part) => part === null) ? null : standing);
