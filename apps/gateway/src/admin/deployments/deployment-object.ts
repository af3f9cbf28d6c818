import type { DeploymentObject } from '@deja/admin-api';
import type { DeploymentView, Trouble } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import { healthOf, wireTime } from '../health.ts';

type State = Pick<DeploymentObject, 'health' | 'trouble' | 'unavailable_until'>;

/** A deployment as the admin API shows it. */
export function deploymentObject(view: DeploymentView, seen: RoutingView, nowMs: number): DeploymentObject {
  const { id, provider, kind, models, drained, calls, failures } = view;
  const own = seen.deployments.get(id);
  return {
    object: 'deployment',
    id,
    provider,
    kind,
    upstream_model: view.upstreamModel,
    models,
    drained,
    ...stateOf(view, nowMs),
    first_byte_ms: rounded(view.firstByteMs),
    calls,
    failures,
    credentials: view.credentials.map((credential) => ({ id: credential.id, ...stateOf(credential, nowMs) })),
    this_gateway: { in_flight: own?.inFlight ?? 0, first_byte_ms: rounded(own?.firstByteMs ?? null) },
  };
}

const stateOf = (of: { trouble: Trouble | null; unavailableUntilMs: number }, nowMs: number): State => ({ health: healthOf(of, nowMs), trouble: of.trouble, unavailable_until: wireTime(of.unavailableUntilMs) });

const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10);
