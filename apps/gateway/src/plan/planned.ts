import { DejaError, type Plan } from '@deja/contracts';
import type { PlanResult } from '@deja/routing';

/** The plan, or the refusal as the client is told of it. `unsuitable` says why none of the model's deployments can serve this request. */
export function plannedOrRefused(planned: PlanResult, model: string, unsuitable: () => DejaError): Plan {
  if ('plan' in planned) return planned.plan;
  switch (planned.refused) {
    case 'model_not_found':
      throw new DejaError('model_not_found', `The model '${model}' does not exist.`, { param: 'model' });
    case 'no_suitable_deployment':
      throw unsuitable();
    case 'no_deployment_available':
      throw new DejaError('no_deployment_available', 'No deployment can take this request at the moment.', { retryAfterMs: planned.retryAfterMs ?? 1000 });
  }
}

/** The refusal for the first reason found; null when what the request names is with a provider that does not serve this model. */
export function unsuitableFor(model: string, why: { param: string | null; message: string } | null): DejaError {
  if (why !== null) return new DejaError('invalid_value', why.message, why.param === null ? {} : { param: why.param });
  return new DejaError('invalid_value', `The model '${model}' is not served by the provider that holds what this request refers to.`, { param: 'model' });
}
