import type { RoutingSnapshot } from '@deja/contracts';
import { affinityDraw, hashOf } from './affinity.ts';
import type { PlanMoment, PlanNeed } from './need.ts';
import { indexOf, type IndexedModel, type Part, type PoolCredential, type SnapshotIndex } from './snapshot-index.ts';
import type { CredentialView, DeploymentView } from './view.ts';

/** One planning, with what all of its steps need. */
export interface Search {
  index: SnapshotIndex;
  need: PlanNeed;
  at: PlanMoment;
  /** Null: no affinity is asked for. */
  keyHash: number | null;
}

/** A public model whose deployments may come into a plan, under the name it has there. */
export interface Target {
  indexed: IndexedModel;
  name: string;
  /** On behalf of a model that chooses by need. */
  choosing: boolean;
}

/** A target, or a share of it, as it is gone through. */
export interface Lane extends Target {
  segments: readonly (readonly Part[])[];
  /** The canary whose turn it is. */
  canary: Part | null;
  /** Whether its parts are known to meet every need. */
  isChecked: boolean;
  /** Draws are by affinity. */
  isSticky: boolean;
}

export function searchOf(snapshot: RoutingSnapshot, need: PlanNeed, at: PlanMoment): Search {
  const { affinityKey = null } = need;
  return { index: indexOf(snapshot), need, at, keyHash: affinityKey === null ? null : hashOf(affinityKey) };
}

export const upstreamOf = (part: Part, { name }: Target): string => part.upstreamModel ?? name;

export const viewOf = ({ at }: Search, { id }: Part): DeploymentView | undefined => at.view?.deployments.get(id);

export const credentialViewOf = ({ at }: Search, { key }: PoolCredential): CredentialView | undefined => at.view?.credentials.get(key);

/** In [0, 1): of the key and the item where turns of a conversation stay together, else random. */
export function drawFor({ at, keyHash }: Search, isSticky: boolean, itemHash: number): number {
  return isSticky && keyHash !== null ? affinityDraw(keyHash, itemHash) : at.random();
}
