import { DejaError } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import type { Logger } from '@deja/telemetry';
import { pageOf, type Page } from '../admin-list.ts';
import type { RouterCalls } from '../router-calls.ts';
import { deploymentObject, type DeploymentObject } from './deployment-object.ts';

/** Deployments as the router knows them, and as this gateway sees them. */
export class Deployments {
  constructor(
    private readonly router: RouterCalls,
    private readonly seen: () => RoutingView,
    private readonly logger: Pick<Logger, 'info'>,
    private readonly now: () => number,
  ) {}

  async list(query: unknown): Promise<Page<DeploymentObject>> {
    return pageOf('deployments', await this.all(), query);
  }

  /** Throws `not_found`. */
  async get(id: string): Promise<DeploymentObject> {
    const found = (await this.all()).find((deployment) => deployment.id === id);
    if (found === undefined) throw new DejaError('not_found', 'There is no deployment of that id.');
    return found;
  }

  /** Takes one out of rotation, or back in. Throws `not_found`. */
  async drain(id: string, drained: boolean): Promise<DeploymentObject> {
    const { deployment } = await this.router.change('drain_deployment', { id, drained });
    this.logger.info({ deployment: id, drained }, 'a deployment was taken out of rotation, or back in, by the admin API');
    return deploymentObject(deployment, this.seen(), this.now());
  }

  private async all(): Promise<DeploymentObject[]> {
    const { deployments } = await this.router.read('list_deployments', {});
    const seen = this.seen();
    return deployments.map((view) => deploymentObject(view, seen, this.now()));
  }
}
