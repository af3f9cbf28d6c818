import { createHash } from 'node:crypto';
import type { CredentialConfig, DejaConfig } from '@deja/config';
import type { Deployment, RoutingSnapshot } from '@deja/contracts';
import { credentialField, deploymentField, type PoolHealth } from '../pool/health-store.ts';
import type { Health } from '../pool/health.ts';

/** A snapshot without what is said when it is published. */
export type SnapshotContent = Pick<RoutingSnapshot, 'models' | 'deployments' | 'settings'>;

/** The configuration as the gateways see it, everything healthy. Holds versions of credentials, never values. */
export function contentOf(config: DejaConfig, versionOf: (credential: CredentialConfig) => string): SnapshotContent {
  const providers = new Map(config.providers.map((provider) => [provider.name, provider]));
  const deployments = new Map<string, Deployment>();
  const models = config.models.map((model) => ({
    name: model.name,
    strategy: model.strategy,
    fallbacks: model.fallbacks,
    deployments: model.deployments.flatMap(({ provider: name, upstreamModel, weight, priority }) => {
      const provider = providers.get(name);
      if (provider === undefined) return [];
      const id = `${name}/${upstreamModel}`;
      deployments.set(id, {
        id,
        provider: name,
        kind: provider.kind,
        baseUrl: provider.baseUrl,
        apiVersion: provider.apiVersion,
        server: provider.server,
        upstreamModel,
        credentials: provider.credentials.map((credential) => ({
          id: credential.id,
          version: versionOf(credential),
          weight: credential.weight,
          limits: credential.limits,
          unavailableUntilMs: 0,
        })),
        unavailableUntilMs: 0,
      });
      return [{ id, weight, priority }];
    }),
  }));
  return { models, deployments: [...deployments.values()], settings: config.settings };
}

/**
 * The content with what is known about health. It depends on nothing but its arguments (not on the clock), so that all replicas
 * come to the same. Failures alone never set everything of a model aside: a provider that fails may come back with the next
 * request, and refusing all of them would be worse than trying.
 */
export function withHealth(content: SnapshotContent, health: PoolHealth): SnapshotContent {
  const released = deploymentsToKeep(content, health.of);
  return {
    ...content,
    deployments: content.deployments.map((deployment) => {
      const own = health.of.get(deploymentField(deployment.id));
      const isKept = own?.trouble === 'failing' && released.has(deployment.id);
      return {
        ...deployment,
        unavailableUntilMs: isKept ? 0 : (own?.untilMs ?? 0),
        credentials: deployment.credentials.map((credential) => ({
          ...credential,
          unavailableUntilMs: health.of.get(credentialField(credential.id, credential.version))?.untilMs ?? 0,
        })),
      };
    }),
  };
}

/** The content as it was before anything was known about health. */
export function withoutHealth(content: SnapshotContent): SnapshotContent {
  return withHealth(content, { revision: 0, of: new Map() });
}

/** Of each model of which everything is set aside, the deployment that is (or will first be) kept from serving by failures alone. */
function deploymentsToKeep(content: SnapshotContent, health: ReadonlyMap<string, Health>): Set<string> {
  const kept = new Set<string>();
  const deployments = new Map(content.deployments.map((deployment) => [deployment.id, deployment]));
  for (const model of content.models) {
    const states = model.deployments.flatMap(({ id }) => deployments.get(id) ?? []).map((deployment) => ({ id: deployment.id, ...unavailability(deployment, health) }));
    if (states.some((state) => state.failingUntilMs === 0 && state.otherUntilMs === 0)) continue;
    const [first] = states.toSorted((a, b) => a.otherUntilMs - b.otherUntilMs || a.failingUntilMs - b.failingUntilMs || (a.id < b.id ? -1 : 1));
    if (first !== undefined) kept.add(first.id);
  }
  return kept;
}

/** Until when its own failures, and until when anything else (no usable credential, a rate limit), keep a deployment from serving. */
function unavailability(deployment: Deployment, health: ReadonlyMap<string, Health>): { failingUntilMs: number; otherUntilMs: number } {
  const own = health.get(deploymentField(deployment.id));
  const credentials = deployment.credentials.map(({ id, version }) => health.get(credentialField(id, version))?.untilMs ?? 0);
  const credentialUntilMs = credentials.length === 0 ? 0 : Math.min(...credentials);
  return own?.trouble === 'failing'
    ? { failingUntilMs: own.untilMs, otherUntilMs: credentialUntilMs }
    : { failingUntilMs: 0, otherUntilMs: Math.max(own?.untilMs ?? 0, credentialUntilMs) };
}

/** Names content: equal content has equal digests in every replica. */
export function digestOf(content: SnapshotContent): string {
  return createHash('sha256').update(JSON.stringify([content.models, content.deployments, content.settings])).digest('base64url').slice(0, 22);
}

/** Credentials of `before` whose value `after` does not have any more. */
export function revokedCredentials(before: SnapshotContent, after: SnapshotContent): string[] {
  const current = new Map(after.deployments.flatMap((deployment) => deployment.credentials).map(({ id, version }) => [id, version]));
  const previous = before.deployments.flatMap((deployment) => deployment.credentials);
  return [...new Set(previous.filter(({ id, version }) => current.get(id) !== version).map(({ id }) => id))];
}

/** How many credentials and deployments are not to be chosen at that moment. */
export function setAside(content: SnapshotContent, nowMs: number): { credentials: number; deployments: number } {
  const out = content.deployments.flatMap((deployment) => deployment.credentials).filter((credential) => credential.unavailableUntilMs > nowMs);
  return {
    // A credential stands in each deployment of its provider, and is one all the same.
    credentials: new Set(out.map((credential) => credential.id)).size,
    deployments: content.deployments.filter((deployment) => deployment.unavailableUntilMs > nowMs).length,
  };
}
