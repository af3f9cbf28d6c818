import type { AttemptRecord } from '@deja/contracts';
import { BoundedLabel } from '@deja/telemetry';

/** Upstream models that a gateway tells apart in its figures. */
export const MOST_MODELS = 200;

/** The label `model`: the name sent upstream. Behind a deployment `provider/*` that is what a client wrote, and takes a place only once the provider has answered to it. */
export class ModelLabel {
  private readonly names: BoundedLabel;

  constructor(max: number = MOST_MODELS) {
    this.names = new BoundedLabel(max);
  }

  of({ deployment, model, outcome }: Pick<AttemptRecord, 'deployment' | 'model' | 'outcome'>): string {
    return outcome === 'ok' || !isOpen(deployment) ? this.names.of(model) : this.names.ifKnown(model);
  }

  /** Of a cached answer, by the deployment that gave it; `model` is the public one, which behind `provider/*` is the name sent upstream. */
  ofAnswer({ deployment, provider, model }: { deployment: string; provider: string; model: string }): string {
    return this.names.of(isOpen(deployment) ? model : deployment.slice(provider.length + 1));
  }
}

const isOpen = (deployment: string): boolean => deployment.endsWith('/*');
