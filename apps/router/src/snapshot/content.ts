import { createHash } from 'node:crypto';
import type { CredentialConfig, DejaConfig, ProviderConfig } from '@deja/config';
import { TROUBLES, type CredentialRef, type Deployment, type RoutingSnapshot, type Trouble } from '@deja/contracts';
import { credentialKey } from '@deja/routing';
import { credentialField, deploymentField, type PoolHealth } from '../pool/health-store.ts';
import type { Health } from '../pool/health.ts';
import { troubleOf } from '../pool/pool.ts';
import type { Standing } from '../pool/standing.ts';

/** A snapshot without what is said when it is published. */
export type SnapshotContent = Pick<RoutingSnapshot, 'models' | 'deployments' | 'settings'>;

/** What a snapshot holds besides deja.yaml. */
export interface ContentSources {
  versionOf: (credential: CredentialConfig) => string;
  /** Credentials that came by the admin API, of a provider of the file; in every replica in the same order. */
  storedFor: (provider: string) => CredentialRef[];
  /** Whether the vault has one of this provider, be it disabled. */
  isKeyed: (provider: string) => boolean;
  /** Whether an operator took the deployment (`provider/model`) out of rotation. */
  isDrained: (deployment: string) => boolean;
}

/** What one replica would have published. */
export interface Configuration {
  /** Digest of what comes from deja.yaml: replicas are given the same. */
  file: string;
  /** Revision of what comes by the admin API: replicas learn of each a moment apart. */
  vault: number;
  /** Without health. */
  content: SnapshotContent;
}

/** @param alerts changes with what the file says of alerts, which no snapshot holds; null: it says nothing */
export function configurationOf(config: DejaConfig, sources: ContentSources, vaultRevision: number, alerts: string | null = null): Configuration {
  const ofFile = contentOf(config, { versionOf: sources.versionOf, storedFor: () => [], isKeyed: () => false, isDrained: () => false });
  const file = alerts === null ? digestOf(ofFile) : hashOf([digestOf(ofFile), alerts]);
  return { file, vault: vaultRevision, content: contentOf(config, sources) };
}

/** The configuration as the gateways see it, everything healthy. Holds versions of credentials, never values. */
export function contentOf(config: DejaConfig, sources: ContentSources): SnapshotContent {
  const providers = new Map(config.providers.map((provider) => [provider.name, provider]));
  const deployments = new Map<string, Deployment>();
  const models = config.models.map(({ deployments: parts, ...model }) => ({
    ...model,
    deployments: parts.flatMap(({ provider: name, upstreamModel, ...part }) => {
      const provider = providers.get(name);
      if (provider === undefined) return [];
      const id = `${name}/${upstreamModel}`;
      const credentials = credentialsOf(provider, sources);
      deployments.set(id, {
        id,
        provider: name,
        kind: provider.kind,
        baseUrl: provider.baseUrl,
        apiVersion: provider.apiVersion,
        server: provider.server,
        upstreamModel,
        credentials,
        unavailableUntilMs: 0,
        ...(credentials.length === 0 && (provider.keyed || sources.isKeyed(name)) && { keyed: true }),
        ...(sources.isDrained(id) && { drained: true }),
      });
      return [{ id, ...part }];
    }),
  }));
  return { models, deployments: [...deployments.values()], settings: config.settings };
}

function credentialsOf(provider: ProviderConfig, { versionOf, storedFor }: ContentSources): CredentialRef[] {
  const ofFile = provider.credentials.map((credential): CredentialRef => ({
    id: credential.id,
    version: versionOf(credential),
    weight: credential.weight,
    limits: credential.limits,
    unavailableUntilMs: 0,
    ...(credential.baseUrl && { baseUrl: credential.baseUrl }),
  }));
  return [...ofFile, ...storedFor(provider.name)];
}

/**
 * The content with what is known about health. It depends on nothing but its arguments (not on the clock), so that all replicas
 * come to the same. Failures alone never set everything of a model aside: a provider that fails may come back with the next
 * request, and refusing all of them, or all but one at a time, would be worse than trying.
 */
export function withHealth(content: SnapshotContent, health: PoolHealth): SnapshotContent {
  const released = deploymentsToKeep(content, health.of);
  return {
    ...content,
    deployments: content.deployments.map((deployment) => {
      const { trouble: _trouble, firstByteMs: _firstByteMs, ...lasting } = deployment;
      const standing = health.of.get(deploymentField(deployment.id));
      const isKept = standing?.health?.trouble === 'failing' && released.has(deployment.id);
      const firstByteMs = standing?.latency?.shownMs ?? null;
      return {
        ...lasting,
        ...shown(isKept ? null : standing?.health),
        credentials: deployment.credentials.map((credential) => {
          const { trouble: _troubleOf, ...lastingOf } = credential;
          return { ...lastingOf, ...shown(healthOf(credential, health.of)) };
        }),
        ...(firstByteMs !== null && { firstByteMs }),
      };
    }),
  };
}

/** The content as it was before anything was known about health. */
export function withoutHealth(content: SnapshotContent): SnapshotContent {
  return withHealth(content, { revision: 0, of: new Map() });
}

const healthOf = ({ id, version }: Pick<CredentialRef, 'id' | 'version'>, of: ReadonlyMap<string, Standing>): Health | null => of.get(credentialField(id, version))?.health ?? null;

function shown(health: Health | null | undefined): { unavailableUntilMs: number; trouble?: Trouble } {
  const { trouble, unavailableUntilMs } = troubleOf(health);
  return { unavailableUntilMs, ...(trouble !== null && { trouble }) };
}

/** Of each model of which everything is set aside, the deployment that is (or will first be) kept from serving by failures alone. */
function deploymentsToKeep(content: SnapshotContent, health: ReadonlyMap<string, Standing>): Set<string> {
  const kept = new Set<string>();
  const deployments = new Map(content.deployments.map((deployment) => [deployment.id, deployment]));
  for (const model of content.models) {
    // A shadow answers nobody, and what was drained is to stay out.
    const serving = model.deployments.filter(({ shadow }) => (shadow ?? 0) === 0).flatMap(({ id }) => deployments.get(id) ?? []).filter(({ drained }) => drained !== true);
    const states = serving.map((deployment) => ({ id: deployment.id, ...unavailability(deployment, health) }));
    if (states.some((state) => state.failingUntilMs === 0 && state.otherUntilMs === 0)) continue;
    const [first] = states.toSorted((a, b) => a.otherUntilMs - b.otherUntilMs || a.failingUntilMs - b.failingUntilMs || (a.id < b.id ? -1 : 1));
    if (first !== undefined) kept.add(first.id);
  }
  return kept;
}

/** Until when its own failures, and until when anything else (no usable credential, a rate limit), keep a deployment from serving. */
function unavailability(deployment: Deployment, health: ReadonlyMap<string, Standing>): { failingUntilMs: number; otherUntilMs: number } {
  const own = health.get(deploymentField(deployment.id))?.health ?? null;
  const everyones = deployment.credentials.filter(({ tenant }) => tenant === undefined);
  const credentials = (everyones.length > 0 ? everyones : deployment.credentials).map((credential) => healthOf(credential, health)?.untilMs ?? 0);
  const credentialUntilMs = credentials.length === 0 ? 0 : Math.min(...credentials);
  return own?.trouble === 'failing'
    ? { failingUntilMs: own.untilMs, otherUntilMs: credentialUntilMs }
    : { failingUntilMs: 0, otherUntilMs: Math.max(own?.untilMs ?? 0, credentialUntilMs) };
}

/** Names content: equal content has equal digests in every replica. */
export function digestOf(content: SnapshotContent): string {
  return hashOf([content.models, content.deployments, content.settings]);
}

const hashOf = (parts: unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);

/** `id@version` of the values that `before` has and `after` does not have any more. The other value of a rotated credential stays where it is. */
export function revokedCredentials(before: SnapshotContent, after: SnapshotContent): string[] {
  const namesIn = ({ deployments }: SnapshotContent): Set<string> => new Set(deployments.flatMap(({ credentials }) => credentials.map(credentialKey)));
  const kept = namesIn(after);
  return [...namesIn(before)].filter((name) => !kept.has(name));
}

export interface SetAside {
  credentials: number;
  deployments: number;
}

/** How many credentials and deployments are not to be chosen at that moment, by what speaks against them. */
export function setAside(content: SnapshotContent, nowMs: number): Record<Trouble, SetAside> {
  const isOut = ({ unavailableUntilMs }: { unavailableUntilMs: number }): boolean => unavailableUntilMs > nowMs;
  const deployments = content.deployments.filter(isOut);
  // A credential stands in each deployment of its provider, and is one all the same.
  const credentials = new Map(content.deployments.flatMap((deployment) => deployment.credentials).filter(isOut).map((credential) => [credentialField(credential.id, credential.version), credential]));
  const counted = TROUBLES.map((trouble): [Trouble, SetAside] => [trouble, {
    credentials: [...credentials.values()].filter((credential) => credential.trouble === trouble).length,
    deployments: deployments.filter((deployment) => deployment.trouble === trouble).length,
  }]);
  return Object.fromEntries(counted) as Record<Trouble, SetAside>;
}
