import type { RoutingView } from '@deja/routing';
import type { Logger } from '@deja/telemetry';
import { AdminAccess } from './admin-access.ts';
import { Credentials } from './credentials/credentials.ts';
import { CredentialsController } from './credentials/credentials.controller.ts';
import { Deployments } from './deployments/deployments.ts';
import { DeploymentsController } from './deployments/deployments.controller.ts';
import { PlanController } from './plan/plan.controller.ts';
import { PlanExplainer, type Explain } from './plan/plan-explainer.ts';
import { RouterCalls, type CallRouter } from './router-calls.ts';
import { UnknownController } from './unknown.controller.ts';
import { Vault } from './vault/vault.ts';
import { VaultController } from './vault/vault.controller.ts';

/** The whole admin surface, `/admin/v1`. */
export const ADMIN_CONTROLLERS = [CredentialsController, VaultController, DeploymentsController, PlanController, UnknownController];

export interface AdminSurroundings {
  /** `DEJA_ADMIN_KEY`; null switches the surface off. */
  adminKey: string | null;
  call: CallRouter;
  /** What this gateway sees itself. */
  seen: () => RoutingView;
  explain: Explain;
  logger: Pick<Logger, 'info'>;
  /** Unix ms. */
  now: () => number;
}

/** What the controllers ask for, made once. */
export class AdminSurface {
  readonly access: AdminAccess;
  readonly credentials: Credentials;
  readonly vault: Vault;
  readonly deployments: Deployments;
  readonly plans: PlanExplainer;

  constructor({ adminKey, call, seen, explain, logger, now }: AdminSurroundings) {
    const router = new RouterCalls(call);
    this.access = new AdminAccess(adminKey);
    this.credentials = new Credentials(router, logger, now);
    this.vault = new Vault(router, logger, now);
    this.deployments = new Deployments(router, seen, logger, now);
    this.plans = new PlanExplainer(explain);
  }
}
