import type { BodyOf, ReplyOf } from '@deja/admin-api';
import { DejaError, usdText } from '@deja/contracts';
import type { Explanation } from '@deja/routing';
import { CHAT } from '../../chat/chat.endpoint.ts';
import { COMPLETIONS } from '../../completions/completions.endpoint.ts';
import { EMBEDDINGS } from '../../embeddings/embeddings.pipeline.ts';
import { MODERATIONS } from '../../moderations/moderations.endpoint.ts';
import type { ApiRequest, Endpoint } from '../../pipeline/endpoint.ts';
import { RESPONSES } from '../../responses/responses.endpoint.ts';
import { parseJsonBody } from '../../validate/json-body.ts';

/** What somebody wants to know the plan of. */
export interface PlanQuestion {
  /** The name a client would send. */
  model: string;
  endpoint: Endpoint;
  /** The client's request, of that endpoint; null: whatever it is. */
  request: ApiRequest | null;
  /** null: one without credentials of its own. */
  tenant: string | null;
  requires: { region?: string; tags?: string[] };
}

export interface Explained {
  snapshotVersion: number;
  /** Empty where there is no such model. */
  candidates: readonly ExplainedCandidate[];
}

/** `quotaWaitMs`: when its credential's quota has room again; 0: now, -1: never for this request. */
export type ExplainedCandidate = Explanation & { quotaWaitMs: number };

/** Explains a plan over the current snapshot, as `explainRequest` does. Throws `overloaded` where there is no snapshot. */
export type Explain = (question: PlanQuestion) => Explained | Promise<Explained>;

const ENDPOINTS: readonly Endpoint[] = [CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS].map((endpoint) => endpoint as unknown as Endpoint);
type PlanObject = ReplyOf<'explainPlan'>;

/** Says why a request goes where it goes. */
export class PlanExplainer {
  constructor(private readonly explain: Explain) {}

  /** Throws `model_not_found`, and a 400 for a body that is no request of that endpoint. */
  async answer({ model, endpoint: path, tenant, body, requires: { region, tags } }: BodyOf<'explainPlan'>): Promise<PlanObject> {
    const endpoint = ENDPOINTS.find((known) => known.path === path) ?? ENDPOINTS[0];
    if (endpoint === undefined) throw new Error('there is no endpoint to plan for');
    const request = body === undefined ? null : requestOf(endpoint, { ...body, model });
    const requires = { ...(region !== undefined && { region }), ...(tags !== undefined && { tags }) };
    const { snapshotVersion, candidates } = await this.explain({ model, endpoint, request, tenant, requires });
    if (candidates.length === 0) throw new DejaError('model_not_found', `The model '${model}' does not exist.`, { param: 'model' });
    return { model, snapshot_version: snapshotVersion, candidates: candidates.map(candidateObject) };
  }
}

function requestOf(endpoint: Endpoint, body: Record<string, unknown>): ApiRequest {
  try {
    return endpoint.parse(parseJsonBody(Buffer.from(JSON.stringify(body))));
  } catch (error) {
    if (!(error instanceof DejaError)) throw error;
    throw new DejaError(error.code, error.message, { param: error.param === null ? 'body' : `body.${error.param}`, cause: error });
  }
}

function candidateObject({ quotaWaitMs, order, model, deployment, credential, version, role, reason, behind, trouble, detail }: ExplainedCandidate): PlanObject['candidates'][number] {
  const { weight, priority, credentialWeight, waitMs, firstByteMs, inFlight, costNanoUsd, capability } = detail;
  const cost = costNanoUsd === null ? null : usdText(BigInt(Math.round(costNanoUsd)));
  return {
    order, model, deployment, credential, version, role, reason, behind, trouble, weight, priority,
    credential_weight: credentialWeight, wait_ms: waitMs, quota_wait_ms: quotaWaitMs, first_byte_ms: firstByteMs, in_flight: inFlight, cost_usd: cost, capability,
  };
}
