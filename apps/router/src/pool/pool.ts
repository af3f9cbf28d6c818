import type { AttemptOutcome, RoutingSnapshot } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { credentialVerdict, deploymentVerdict, healthAfter } from './health.ts';
import { credentialField, deploymentField, type HealthChange, type HealthStore } from './health-store.ts';

/** A record this old says nothing any more. */
const FORGET_AFTER_MS = 10 * 60_000;

/** Gathers what the gateways learned from their attempts. */
export class Pool {
  constructor(
    private readonly store: HealthStore,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Records outcomes of credentials and deployments of the snapshot; others are of another time. True when something changed. */
  async record(outcomes: AttemptOutcome[], snapshot: Pick<RoutingSnapshot, 'deployments'>): Promise<boolean> {
    const deployments = new Map(snapshot.deployments.map((deployment) => [deployment.id, deployment]));
    const nowMs = this.now();
    const changes = outcomes.flatMap((outcome): HealthChange[] => {
      const deployment = deployments.get(outcome.deployment);
      if (deployment === undefined) return [];
      const credential = deployment.credentials.find(({ id }) => id === outcome.credential);
      const ofDeployment: HealthChange = {
        field: deploymentField(deployment.id),
        after: (health) => healthAfter(health, deploymentVerdict(outcome), outcome, nowMs),
      };
      if (credential === undefined) return [ofDeployment];
      return [ofDeployment, {
        field: credentialField(credential.id, credential.version),
        after: (health) => healthAfter(health, credentialVerdict(outcome), outcome, nowMs),
      }];
    });
    return this.#changed(changes);
  }

  /** Drops records that are long over, of credentials that are gone too. True when there were some. */
  async forgetOld(): Promise<boolean> {
    const { of } = await this.store.read();
    const oldestMs = this.now() - FORGET_AFTER_MS;
    const isOld = (health: { untilMs: number; failedAtMs: number }): boolean => Math.max(health.untilMs, health.failedAtMs) < oldestMs;
    const fields = [...of].filter(([, health]) => isOld(health)).map(([field]) => field);
    return this.#changed(fields.map((field) => ({ field, after: (health) => (health !== null && isOld(health) ? null : health) })));
  }

  async #changed(changes: HealthChange[]): Promise<boolean> {
    const changed = await this.store.change(changes);
    for (const { field, before, after } of changed) {
      const what = { [field.startsWith('c:') ? 'credential' : 'deployment']: field.slice(2) };
      if (after === null) {
        if (before !== null && before.untilMs > 0) this.logger.info(what, 'usable again');
      } else if (after.untilMs > this.now() && after.untilMs !== before?.untilMs) {
        const details = { ...what, trouble: after.trouble, failures: after.failures, for_ms: after.untilMs - this.now() };
        if (after.trouble === 'rate_limited') this.logger.info(details, 'set aside: the provider limits its rate');
        else this.logger.warn(details, SENTENCES[after.trouble]);
      }
    }
    return changed.length > 0;
  }
}

const SENTENCES = {
  exhausted: 'set aside: the account behind this credential has run out of money',
  rejected: 'set aside: the provider rejects this credential; correct its value',
  forbidden: 'set aside: the provider forbids this credential everything it was tried for; check its permissions',
  failing: 'set aside: failed several times in a row',
} as const;
