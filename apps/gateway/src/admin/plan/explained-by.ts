import type { Candidate, RoutingSnapshot } from '@deja/contracts';
import { credentialKey, type Explanation } from '@deja/routing';
import { estimate } from '@deja/tokens';
import { abilitiesOf, affinityKeyOf } from '../../plan/needs.ts';
import type { Planner } from '../../plan/planner.ts';
import type { RoutingTable } from '../../plan/routing-table.ts';
import type { CredentialQuotas } from '../../quotas/credential-quotas.ts';
import type { Explain } from './plan-explainer.ts';

type Quotas = Pick<CredentialQuotas, 'take' | 'end'>;

/** Plans as a request would be planned at this moment, in this gateway. Of a request's prompt the length is estimated, not counted. */
export function explainedBy(planner: Planner, routing: Pick<RoutingTable, 'snapshot'>, quotas: Quotas): Explain {
  return async ({ model, endpoint, request, tenant, requires }) => {
    const snapshot = routing.snapshot();
    const promptTokens = request === null ? 0 : estimate(request.parts);
    const asked = request === null ? {} : {
      maxOutputTokens: request.maxOutputTokens,
      abilities: abilitiesOf(request),
      affinityKey: affinityKeyOf(request, promptTokens),
      unsuited: (deployment: Parameters<typeof endpoint.unsuited>[1]['deployment'], upstreamModel: string) => endpoint.unsuited(request, { deployment, upstreamModel }),
    };
    const explanations = planner.explain(snapshot, { model, tenant, promptTokens, requires, ...asked });
    const candidates = await Promise.all(explanations.map(async (explanation) => ({ ...explanation, quotaWaitMs: await quotaWaitMs(quotas, candidateOf(explanation, snapshot), promptTokens) })));
    return { snapshotVersion: snapshot.version, candidates };
  };
}

/** What the reserve step would say of this candidate: taken for a moment and given back, because nothing less is exact. 0: it has room. */
async function quotaWaitMs(quotas: Quotas, candidate: Candidate | null, tokens: number): Promise<number> {
  if (candidate === null) return 0;
  const verdict = await quotas.take(candidate, tokens);
  if (verdict.kind === 'refused') return verdict.waitMs;
  await quotas.end(verdict.charge, { tokens: null, headers: null, failure: null, retryAfterMs: null, unsent: true });
  return 0;
}

/** The candidate that an explanation is about; null where it has no place in the plan, or needs no credential. */
function candidateOf({ role, model, deployment: id, credential, version }: Explanation, { deployments }: RoutingSnapshot): Candidate | null {
  const deployment = deployments.find((known) => known.id === id);
  const ref = deployment?.credentials.find((known) => credential !== null && version !== null && credentialKey(known) === credentialKey({ id: credential, version }));
  if (role === null || deployment === undefined || ref === undefined) return null;
  return { model, deployment, credential: ref, upstreamModel: deployment.upstreamModel === '*' ? model : deployment.upstreamModel };
}
