import type { DeploymentObject, QueryOf, ReplyOf } from '@deja/admin-api';
import { DejaError, type AdminChange, type RouterRpc } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import { pageOf } from '../admin-list.ts';
import type { AppCalls } from '../app-calls.ts';
import { answered, type Answer } from '../operation-call.ts';
import { deploymentObject } from './deployment-object.ts';

/** Deployments as the router knows them, and as this gateway sees them. */
export class Deployments {
  constructor(
    private readonly router: AppCalls<RouterRpc>,
    private readonly seen: () => RoutingView,
    private readonly now: () => number,
  ) {}

  async list(query: QueryOf<'listDeployments'>): Promise<Answer<ReplyOf<'listDeployments'>>> {
    return answered(pageOf('deployments', await this.all(), query));
  }

  /** Throws `not_found`. */
  async get(id: string): Promise<Answer<DeploymentObject>> {
    const found = (await this.all()).find((deployment) => deployment.id === id);
    if (found === undefined) throw new DejaError('not_found', 'There is no deployment of that id.');
    return answered(found);
  }

  /** Takes one out of rotation, or back in. Throws `not_found`. */
  async drain(id: string, drained: boolean, change: AdminChange): Promise<Answer<DeploymentObject>> {
    const { deployment, replayed = false } = await this.router.change('drain_deployment', { id, drained, change });
    return { ...answered(deploymentObject(deployment, this.seen(), this.now())), replayed };
  }

  private async all(): Promise<DeploymentObject[]> {
    const { deployments } = await this.router.read('list_deployments', {});
    const seen = this.seen();
    return deployments.map((view) => deploymentObject(view, seen, this.now()));
  }
}
