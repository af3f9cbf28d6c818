import type { AttemptOutcome, Deployment, DeploymentView, RoutingSnapshot, Trouble } from '@deja/contracts';
import { credentialKey } from '@deja/routing';
import type { Logger } from '@deja/telemetry';
import { countsOf, EMPTY_WINDOW, type CallWindow } from './breaker.ts';
import type { Health, Moment } from './health.ts';
import { concernsGateways, credentialField, deploymentField, type ChangedStanding, type HealthStore, type StandingChange } from './health-store.ts';
import { averageMs, shownAgain } from './latency.ts';
import { credentialAfter, deploymentAfter, unlessEmpty, type Called, type Standing } from './standing.ts';

/** A record this old says nothing any more. */
const FORGET_AFTER_MS = 10 * 60_000;
const FORGET_EVERY_MS = 60_000;
/** How often gateways are told of latencies when nothing else is new. */
const SHOW_LATENCIES_EVERY_MS = 5000;

export type PoolMember = 'credential' | 'deployment';

type Snapshot = Pick<RoutingSnapshot, 'models' | 'deployments' | 'settings'>;

/** Gathers what the gateways learned from their attempts. */
export class Pool {
  /** What waits for the write under way, to be written at once. */
  #waiting: StandingChange[] = [];
  #nextWrite: Promise<boolean> | null = null;
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** What this replica set aside, until its pause is over: field → Unix ms. */
  readonly #pauses = new Map<string, number>();
  readonly #setAside = new Map<`${PoolMember} ${Trouble}`, number>();
  #forgetAtMs: number;

  constructor(
    private readonly store: HealthStore,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly now: () => number = Date.now,
    private readonly random: () => number = Math.random,
  ) {
    this.#forgetAtMs = now() + FORGET_EVERY_MS;
  }

  /** Records outcomes of credentials and deployments of the snapshot; others are of another time. True when gateways are to hear of it. */
  async record(outcomes: AttemptOutcome[], { deployments, settings }: Pick<Snapshot, 'deployments' | 'settings'>): Promise<boolean> {
    const known = new Map(deployments.map((deployment) => [deployment.id, deployment]));
    const at: Moment = { nowMs: this.now(), random: this.random };
    const changes = outcomes.flatMap((outcome): StandingChange[] => {
      const deployment = known.get(outcome.deployment);
      if (deployment === undefined) return [];
      const credential = deployment.credentials.find(({ id, version }) => id === outcome.credential && version === outcome.version);
      const key = credential === undefined || deployment.credentials.length === 1 ? null : credentialKey(credential);
      const called: Called = { key, isElsewhere: credential?.baseUrl !== undefined };
      const field = deploymentField(deployment.id);
      const ofDeployment = { field, after: (standing: Standing | null) => deploymentAfter(standing, outcome, called, settings.breaker, at) };
      if (credential === undefined) return [ofDeployment];
      const ofCredential: StandingChange = {
        field: credentialField(credential.id, credential.version),
        after: (standing, of) => credentialAfter(standing, outcome, called, of(field), settings.breaker, at),
      };
      return [ofDeployment, ofCredential];
    });
    return this.#write(changes);
  }

  /** To be called about once a second. True when gateways are to hear of something. Throws when Redis is away. */
  async tick(): Promise<boolean> {
    await this.#notePauses();
    const isShown = (await this.store.mayShowLatencies(SHOW_LATENCIES_EVERY_MS)) && (await this.#showLatencies());
    if (this.now() < this.#forgetAtMs) return isShown;
    this.#forgetAtMs = this.now() + FORGET_EVERY_MS;
    return (await this.forgetOld()) || isShown;
  }

  /** Drops what is long over, of credentials that are gone too. True when gateways are to hear of it. */
  async forgetOld(): Promise<boolean> {
    const { of } = await this.store.read();
    const oldestMs = this.now() - FORGET_AFTER_MS;
    const fields = [...of].filter(([, standing]) => withoutOld(standing, oldestMs) !== standing).map(([field]) => field);
    return this.#write(fields.map((field) => ({ field, after: (standing) => (standing === null ? null : withoutOld(standing, oldestMs)) })));
  }

  /** What may be said of each deployment. */
  async deployments({ models, deployments, settings }: Snapshot, nowMs: number): Promise<DeploymentView[]> {
    const { of } = await this.store.read();
    const fromSecond = Math.floor(nowMs / 1000) - settings.breaker.window_s + 1;
    return deployments.map((deployment) => {
      const standing = of.get(deploymentField(deployment.id));
      return {
        id: deployment.id,
        provider: deployment.provider,
        kind: deployment.kind,
        upstreamModel: deployment.upstreamModel,
        models: models.filter((model) => model.deployments.some(({ id }) => id === deployment.id)).map((model) => model.name),
        drained: deployment.drained ?? false,
        ...troubleOf(standing?.health),
        firstByteMs: standing?.latency ? Math.round(averageMs(standing.latency)) : null,
        ...countsSince(standing, fromSecond),
        credentials: viewed(deployment.credentials, of),
      };
    });
  }

  /** How often this replica has set something aside. */
  get setAsideCounts(): { what: PoolMember; trouble: Trouble; count: number }[] {
    return [...this.#setAside].map(([name, count]) => {
      const [what, trouble] = name.split(' ') as [PoolMember, Trouble];
      return { what, trouble, count };
    });
  }

  /** One write at a time: what comes meanwhile waits for it and is then written together. */
  #write(changes: StandingChange[]): Promise<boolean> {
    if (changes.length === 0) return Promise.resolve(false);
    this.#waiting.push(...changes);
    this.#nextWrite ??= this.#lastWrite.then(async () => {
      this.#nextWrite = null;
      const changed = await this.store.change(this.#waiting.splice(0));
      changed.forEach((change) => this.#note(change));
      return changed.some(concernsGateways);
    });
    this.#lastWrite = this.#nextWrite.catch(() => undefined); // who waits for it learns of it
    return this.#nextWrite;
  }

  async #showLatencies(): Promise<boolean> {
    const { of } = await this.store.read();
    const after = (standing: Standing | null): Standing | null => {
      const latency = standing?.latency ?? null;
      const shown = latency === null ? null : shownAgain(latency);
      return standing === null || shown === latency ? standing : { ...standing, latency: shown };
    };
    const fields = [...of].filter(([, standing]) => after(standing) !== standing).map(([field]) => field);
    return this.#write(fields.map((field) => ({ field, after })));
  }

  /** A line for what this replica set aside and whose pause is over. */
  async #notePauses(): Promise<void> {
    const nowMs = this.now();
    const over = [...this.#pauses].filter(([, untilMs]) => untilMs <= nowMs).map(([field]) => field);
    if (over.length === 0) return;
    const { of } = await this.store.read();
    for (const field of over) {
      const health = of.get(field)?.health ?? null;
      if (health !== null && health.untilMs > nowMs) {
        this.#pauses.set(field, health.untilMs);
        continue;
      }
      this.#pauses.delete(field);
      if (health !== null) this.logger.info({ ...named(field), trouble: health.trouble }, 'on probation: one request at a time tries whether it is usable again');
    }
  }

  #note({ field, before, after }: ChangedStanding): void {
    const [was, is] = [before?.health ?? null, after?.health ?? null];
    const nowMs = this.now();
    if (is === null) {
      this.#pauses.delete(field);
      if (was !== null && was.untilMs > 0) this.logger.info(named(field), 'usable again');
      return;
    }
    if (is === was || is.untilMs <= nowMs) return;
    this.#pauses.set(field, is.untilMs);
    if (was !== null && was.untilMs > nowMs && was.trouble === is.trouble) return; // the same pause, longer
    this.#count(field, is.trouble);
    const details = { ...named(field), trouble: is.trouble, failures: is.failures, for_ms: is.untilMs - nowMs };
    if (is.trouble === 'rate_limited') this.logger.info(details, 'set aside: the provider limits its rate');
    else this.logger.warn(details, SENTENCES[is.trouble]);
  }

  #count(field: string, trouble: Trouble): void {
    const name = `${memberOf(field)} ${trouble}` as const;
    this.#setAside.set(name, (this.#setAside.get(name) ?? 0) + 1);
  }
}

const memberOf = (field: string): PoolMember => (field.startsWith('c:') ? 'credential' : 'deployment');
const named = (field: string): object => ({ [memberOf(field)]: field.slice(2) });

/** A few failures that are only being watched are no trouble yet. */
export function troubleOf(health: Health | null | undefined): { trouble: Trouble | null; unavailableUntilMs: number } {
  return health && health.untilMs > 0 ? { trouble: health.trouble, unavailableUntilMs: health.untilMs } : { trouble: null, unavailableUntilMs: 0 };
}

/** The current value of each; a retiring one has the same id. */
function viewed(credentials: Deployment['credentials'], of: ReadonlyMap<string, Standing>): DeploymentView['credentials'] {
  return credentials.filter(({ retiring }) => retiring !== true).map(({ id, version }) => ({ id, ...troubleOf(of.get(credentialField(id, version))?.health) }));
}

/** Calls to any of its addresses. */
function countsSince(standing: Standing | undefined, fromSecond: number): { calls: number; failures: number } {
  const here = countsOf(standing?.window ?? EMPTY_WINDOW, fromSecond);
  const elsewhere = countsOf(standing?.elsewhere ?? EMPTY_WINDOW, fromSecond);
  return { calls: here.calls + elsewhere.calls, failures: here.failures + elsewhere.failures };
}

/** What is not older than that; the same object when all is not. */
function withoutOld(standing: Standing, oldestMs: number): Standing | null {
  const { health, window, latency, elsewhere, uses } = standing;
  const kept = {
    health: health !== null && Math.max(health.untilMs, health.failedAtMs) < oldestMs ? null : health,
    window: isOld(window, oldestMs) ? null : window,
    latency: latency !== null && latency.atMs < oldestMs ? null : latency,
    elsewhere: isOld(elsewhere, oldestMs) ? null : elsewhere,
    uses: uses !== null && Object.values(uses).every(({ answeredAtMs, failedAtMs }) => Math.max(answeredAtMs, failedAtMs) < oldestMs) ? null : uses,
  };
  const isSame = kept.health === health && kept.window === window && kept.latency === latency && kept.elsewhere === elsewhere && kept.uses === uses;
  return isSame ? standing : unlessEmpty(kept);
}

const isOld = (window: CallWindow | null, oldestMs: number): boolean => window !== null && Math.max((window.seconds.at(-1)?.[0] ?? 0) * 1000, window.sinceMs) < oldestMs;

const SENTENCES = {
  exhausted: 'set aside: the account behind this credential has run out of money',
  rejected: 'set aside: the provider rejects this credential; correct its value',
  forbidden: 'set aside: the provider forbids this credential everything it was tried for; check its permissions',
  failing: 'set aside: too many of its calls fail',
} as const;
