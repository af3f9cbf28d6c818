import type { DeploymentView, Trouble } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import { healthOf, wireTime, type Health } from '../health.ts';

interface State {
  health: Health;
  trouble: Trouble | null;
  unavailable_until: string | null;
}

/** A deployment as the admin API shows it. */
export interface DeploymentObject extends State {
  object: 'deployment';
  id: string;
  provider: string;
  kind: string;
  upstream_model: string;
  models: string[];
  drained: boolean;
  /** Over all gateways; null while unknown. */
  first_byte_ms: number | null;
  /** Within the breaker's window, over all gateways. */
  calls: number;
  failures: number;
  credentials: ({ id: string } & State)[];
  /** What the gateway that answers has seen itself. */
  this_gateway: { in_flight: number; first_byte_ms: number | null };
}

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
