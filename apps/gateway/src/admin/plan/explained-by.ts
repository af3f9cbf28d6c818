import { estimate } from '@deja/tokens';
import { abilitiesOf, affinityKeyOf } from '../../plan/needs.ts';
import type { Planner } from '../../plan/planner.ts';
import type { RoutingTable } from '../../plan/routing-table.ts';
import type { Explain } from './plan-explainer.ts';

/** Plans as a request would be planned at this moment, in this gateway. Of a request's prompt the length is estimated, not counted. */
export function explainedBy(planner: Planner, routing: Pick<RoutingTable, 'snapshot'>): Explain {
  return ({ model, endpoint, request, tenant, requires }) => {
    const snapshot = routing.snapshot();
    const promptTokens = request === null ? 0 : estimate(request.parts);
    const asked = request === null ? {} : {
      maxOutputTokens: request.maxOutputTokens,
      abilities: abilitiesOf(request),
      affinityKey: affinityKeyOf(request, promptTokens),
      unsuited: (deployment: Parameters<typeof endpoint.unsuited>[1]['deployment'], upstreamModel: string) => endpoint.unsuited(request, { deployment, upstreamModel }),
    };
    return { snapshotVersion: snapshot.version, candidates: planner.explain(snapshot, { model, tenant, promptTokens, requires, ...asked }) };
  };
}
