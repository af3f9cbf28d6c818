import type { CredentialRef, Deployment, ModelDeployment, Preference, PublicModel, RoutingSnapshot, Strategy } from '@deja/contracts';
import { hashOf } from './affinity.ts';
import { credentialKey } from './view.ts';

/** The model that takes every name no other model has, and the upstream model that is the name the client sent. */
const ANY = '*';
const PREFERENCES: readonly string[] = ['cost', 'speed', 'capability'] satisfies Preference[];

/** A credential as a plan needs it. Optional members of the snapshot are always there, so that all have one shape. */
export interface PoolCredential {
  ref: CredentialRef;
  /** Its name in a view. */
  key: string;
  hash: number;
  weight: number;
  unavailableUntilMs: number;
  isRetiring: boolean;
  /** There is, or was, something against it. */
  isTroubled: boolean;
  /** That is failures, which end whenever they end, and not a refusal. */
  isFailing: boolean;
  /** The deployment at the address that goes with this credential. */
  deployment: Deployment;
}

/** The credentials of one deployment. */
export interface Pool {
  /** The provider needs none. */
  isKeyless: boolean;
  everyones: readonly PoolCredential[];
  ofTenant: ReadonlyMap<string, readonly PoolCredential[]>;
}

/** One deployment's part in a public model. */
export interface Part {
  deployment: Deployment;
  id: string;
  isDrained: boolean;
  isTroubled: boolean;
  /** What is against it are failures. */
  isFailing: boolean;
  unavailableUntilMs: number;
  firstByteMs: number | null;
  pool: Pool;
  /** Null: the name the client sent. */
  upstreamModel: string | null;
  weight: number;
  priority: number;
  /** Its place in the file. */
  position: number;
  /** Its share as a canary; null: it is none. One of 0 is only a fallback. */
  canary: number | null;
  /** The same as a shadow, which serves nobody, whatever its share. */
  shadow: number | null;
  region: string | null;
  tags: readonly string[];
  hash: number;
}

/** A public model, laid out in the order in which its parts are looked at. */
export interface IndexedModel {
  strategy: Strategy;
  affinity: boolean;
  /** Parts of the same rank together: the tiers of priority, then those of the canaries. Without shadows. */
  segments: readonly (readonly Part[])[];
  canaries: readonly Part[];
  shadows: readonly Part[];
}

export interface ResolvedModel {
  model: PublicModel;
  /** How a model that chooses among others orders them; null for any other model. */
  preference: Preference | null;
}

/**
 * A snapshot laid out for planning. Made once per snapshot, each model when it is first asked for; a snapshot never changes once
 * it is there, a new one takes its place.
 */
export class SnapshotIndex {
  private readonly models = new Map<string, PublicModel>();
  private readonly deployments: ReadonlyMap<string, Deployment>;
  private readonly laidOut = new Map<PublicModel, IndexedModel>();
  private readonly pools = new Map<Deployment, Pool>();

  constructor(snapshot: RoutingSnapshot) {
    for (const model of snapshot.models) if (!this.models.has(model.name)) this.models.set(model.name, model);
    this.deployments = new Map(snapshot.deployments.map((deployment) => [deployment.id, deployment]));
  }

  /** The model of that name; else a choosing model with the preference after the colon; else the one for any name. */
  resolve(name: string): ResolvedModel | null {
    if (name === ANY) return null; // a pattern, not a name one can ask for
    const exact = this.models.get(name);
    if (exact !== undefined) return resolved(exact, null);
    const colon = name.lastIndexOf(':');
    const wish = name.slice(colon + 1);
    const chooser = colon > 0 && isPreference(wish) ? this.models.get(name.slice(0, colon)) : undefined;
    if (chooser !== undefined && chooses(chooser) && isPreference(wish)) return resolved(chooser, wish);
    const any = this.models.get(ANY);
    return any === undefined ? null : resolved(any, null);
  }

  of(model: PublicModel): IndexedModel {
    const known = this.laidOut.get(model);
    if (known !== undefined) return known;
    const parts = model.deployments.flatMap((entry, position) => {
      const deployment = this.deployments.get(entry.id);
      return deployment === undefined ? [] : [this.part(entry, deployment, position)];
    });
    const shadows = parts.filter((part) => part.shadow !== null);
    const canaries = parts.filter((part) => part.canary !== null && part.shadow === null);
    const others = parts.filter((part) => part.canary === null && part.shadow === null);
    const indexed = { strategy: model.strategy, affinity: model.affinity ?? true, segments: [...tiers(others), ...tiers(canaries)], canaries, shadows };
    this.laidOut.set(model, indexed);
    return indexed;
  }

  private part(entry: ModelDeployment, deployment: Deployment, position: number): Part {
    const { weight, priority, canary = null, shadow = null, region = null, tags = [] } = entry;
    const upstreamModel = deployment.upstreamModel === ANY ? null : deployment.upstreamModel;
    const { id, unavailableUntilMs, firstByteMs = null } = deployment;
    return {
      deployment, id, unavailableUntilMs, firstByteMs, isDrained: deployment.drained === true, isTroubled: deployment.trouble !== undefined, isFailing: deployment.trouble === 'failing',
      pool: this.pool(deployment), upstreamModel, weight, priority, position, canary, shadow, region, tags, hash: hashOf(id),
    };
  }

  private pool(deployment: Deployment): Pool {
    const known = this.pools.get(deployment);
    if (known !== undefined) return known;
    const everyones: PoolCredential[] = [];
    const ofTenant = new Map<string, PoolCredential[]>();
    for (const ref of deployment.credentials) {
      const at = ref.baseUrl === undefined ? deployment : { ...deployment, baseUrl: ref.baseUrl };
      const { weight, unavailableUntilMs, trouble } = ref;
      const health = { unavailableUntilMs, isTroubled: trouble !== undefined, isFailing: trouble === 'failing' };
      const credential = { ref, key: credentialKey(ref), hash: hashOf(ref.id), weight, ...health, isRetiring: ref.retiring === true, deployment: at };
      if (ref.tenant === undefined) everyones.push(credential);
      else ofTenant.set(ref.tenant, [...(ofTenant.get(ref.tenant) ?? []), credential]);
    }
    const pool = { isKeyless: deployment.credentials.length === 0 && deployment.keyed !== true, everyones, ofTenant };
    this.pools.set(deployment, pool);
    return pool;
  }
}

const indexes = new WeakMap<RoutingSnapshot, SnapshotIndex>();

export function indexOf(snapshot: RoutingSnapshot): SnapshotIndex {
  const known = indexes.get(snapshot);
  if (known !== undefined) return known;
  const index = new SnapshotIndex(snapshot);
  indexes.set(snapshot, index);
  return index;
}

/** What a name that a client sent stands for: `gpt-4o`, `auto`, `auto:speed`, any name where there is a model `*`. Null: nothing. */
export function resolveModelName(snapshot: RoutingSnapshot, name: string): ResolvedModel | null {
  return indexOf(snapshot).resolve(name);
}

/** Whether a model has others to choose among in place of deployments of its own. */
export const chooses = ({ candidates }: PublicModel): boolean => candidates !== undefined && candidates.length > 0;

const resolved = (model: PublicModel, wish: Preference | null): ResolvedModel => ({ model, preference: chooses(model) ? (wish ?? model.prefer ?? 'cost') : null });

const isPreference = (text: string): text is Preference => PREFERENCES.includes(text);

function tiers(parts: readonly Part[]): Part[][] {
  const byPriority = Map.groupBy(parts, (part) => part.priority);
  return [...byPriority].toSorted(([a], [b]) => a - b).map(([, tier]) => tier);
}
