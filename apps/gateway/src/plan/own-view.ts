import type { Candidate, RoutingSnapshot, Trouble } from '@deja/contracts';
import { credentialKey, type RoutingView } from '@deja/routing';
import type { AttemptFailure } from '../attempt/failure.ts';
import { FAILURES } from '../attempt/failure-table.ts';
import { SeenCredential, SeenDeployment, type CallForm } from './seen.ts';

/** One call as it is being seen. */
export interface SeenCall {
  /** The first byte came, so many milliseconds after the beginning. */
  firstByte(ms: number): void;
  /** To be called once. A failure that is told of no provider (`blameless`) only ends the call. */
  ended(failure: AttemptFailure | null, blameless?: boolean): void;
}

/** Whom a call was made with. */
interface SeenParts {
  deployment: SeenDeployment;
  /** null where the provider needs none. */
  credential: SeenCredential | null;
  /** The credential has an address of its own: whether that works says nothing of the deployment's. */
  isElsewhere: boolean;
  /** In which the call began. */
  turn: number;
}

/** A credential that is rejected, and one that has run out, are not chosen by this gateway for so long: by then the snapshot says more. */
const REJECTED_MS = 10_000;
const EXHAUSTED_MS = 30_000;
/** A 429 keeps away at least and at most so long: the snapshot knows of the longer ones. */
const LIMITED_MS = [1000, 60_000] as const;

/**
 * What this gateway sees of its own calls, at once and by itself: the snapshot tells what all gateways saw, but later. Holds
 * numbers for what the latest snapshot names, and nothing else (`keep`).
 */
export class OwnView {
  private readonly deployments = new Map<string, SeenDeployment>();
  private readonly credentials = new Map<string, SeenCredential>();
  private readonly clock: { nowMs: number };
  private turn = 0;
  private readonly view: RoutingView = { deployments: this.deployments, credentials: this.credentials };

  /** `now`: Unix ms. */
  constructor(private readonly now: () => number = Date.now) {
    this.clock = { nowMs: now() };
  }

  /** For one plan, made at `nowMs`, right now: what it reads goes on changing. */
  forPlan(nowMs: number): RoutingView {
    this.clock.nowMs = nowMs;
    return this.view;
  }

  /** How many milliseconds the first byte took, or less, in `p` of 100 of the last 128 calls of this form; null before there were twenty. */
  percentile(deployment: string, p: number, form: CallForm = 'stream'): number | null {
    return this.deployments.get(deployment)?.percentile(p, form) ?? null;
  }

  /** Forgets what the snapshot does not name. */
  keep({ deployments }: Pick<RoutingSnapshot, 'deployments'>): void {
    const ids = new Set(deployments.map(({ id }) => id));
    const keys = new Set(deployments.flatMap(({ credentials }) => credentials.map(credentialKey)));
    for (const id of this.deployments.keys()) if (!ids.has(id)) this.deployments.delete(id);
    for (const key of this.credentials.keys()) if (!keys.has(key)) this.credentials.delete(key);
  }

  /** A call begins. `form`: null for one whose time says nothing about others, such as an upload. */
  started(candidate: Candidate, form: CallForm | null): SeenCall {
    const deployment = this.deploymentOf(candidate);
    const credential = this.credentialOf(candidate);
    const startedMs = this.now();
    const turn = ++this.turn;
    const waiting = { sinceMs: startedMs };
    const probes = { deployment: candidate.deployment.trouble !== undefined, credential: candidate.credential?.trouble !== undefined };
    deployment.begins(form === null ? null : waiting, probes.deployment);
    credential?.begins(probes.credential);
    let hasBegun = false;
    return {
      firstByte: (ms) => {
        if (hasBegun) return;
        hasBegun = true;
        if (form !== null) deployment.firstByteAfter(ms, form, this.now(), waiting);
      },
      ended: (failure, blameless = false) => {
        const nowMs = this.now();
        // Whoever was given up before it said anything takes at least so long.
        if (form !== null && !hasBegun && (failure?.kind === 'timeout' || failure?.kind === 'cancelled')) deployment.tookAtLeast(nowMs - startedMs, nowMs);
        deployment.ends(waiting, probes.deployment);
        credential?.ends(probes.credential);
        if (!blameless) this.learn(failure, { deployment, credential, isElsewhere: candidate.credential?.baseUrl !== undefined, turn }, nowMs);
      },
    };
  }

  private learn(failure: AttemptFailure | null, { deployment, credential, isElsewhere, turn }: SeenParts, nowMs: number): void {
    const verdict = failure === null ? 'alive' : FAILURES[failure.kind].deployment;
    if (verdict === 'alive') {
      deployment.answered(turn, credential);
      credential?.answered();
    } else if (verdict === 'failing') {
      const alone = credential !== null && (isElsewhere || deployment.failsOnlyWith(credential, ++this.turn));
      credential?.failed(nowMs, alone);
      if (!alone) deployment.failed(nowMs);
    }
    const pause = failure === null ? null : credentialPause(failure);
    if (pause !== null) (credential ?? deployment).avoidUntil(nowMs + pause.ms, pause.trouble);
  }

  private deploymentOf({ deployment: { id } }: Candidate): SeenDeployment {
    let seen = this.deployments.get(id);
    if (seen === undefined) this.deployments.set(id, (seen = new SeenDeployment(this.clock)));
    return seen;
  }

  private credentialOf({ credential }: Candidate): SeenCredential | null {
    if (credential === null) return null;
    const key = credentialKey(credential);
    let seen = this.credentials.get(key);
    if (seen === undefined) this.credentials.set(key, (seen = new SeenCredential()));
    return seen;
  }
}

function credentialPause({ kind, status, retryAfterMs }: AttemptFailure): { ms: number; trouble: Trouble } | null {
  if (kind === 'rate') return { ms: Math.min(LIMITED_MS[1], Math.max(LIMITED_MS[0], retryAfterMs ?? 0)), trouble: 'rate_limited' };
  if (kind === 'quota') return { ms: EXHAUSTED_MS, trouble: 'exhausted' };
  return kind === 'auth' && status !== 403 ? { ms: REJECTED_MS, trouble: 'rejected' } : null; // a 403 may be about this model only
}
