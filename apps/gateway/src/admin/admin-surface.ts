import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { openApi, type AdminOperation } from '@deja/admin-api';
import type { RouterRpc, UsageRpc } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import type { Logger } from '@deja/telemetry';
import type { BudgetList } from '../budgets/list-budgets.ts';
import type { CacheAdmin } from '../cache/cache-admin.ts';
import type { DataKeys } from '../capture/data-keys.ts';
import { AdminAccess } from './admin-access.ts';
import { AppCalls, type CallApp } from './app-calls.ts';
import { Budgets } from './budgets/budgets.ts';
import { CapturedBodies } from './captured-bodies.ts';
import { Credentials } from './credentials/credentials.ts';
import { Deployments } from './deployments/deployments.ts';
import { Forwarded } from './forwarded.ts';
import { gatewayHandlers } from './gateway-handlers.ts';
import type { Answer, GatewayHandlers, OperationCall } from './operation-call.ts';
import { PlanExplainer, type Explain } from './plan/plan-explainer.ts';
import { ValueSealer } from './value-sealer.ts';
import { Vault } from './vault/vault.ts';

export interface AdminSurroundings {
  /** `DEJA_ADMIN_KEY`; null switches the surface off. */
  adminKey: string | null;
  callRouter: CallApp<RouterRpc>;
  callUsage: CallApp<UsageRpc>;
  /** Where a request comes from, for the audit log: its socket's address, or what a trusted proxy says. */
  clientAddress: (request: IncomingMessage) => string | null;
  /** What this gateway sees itself. */
  seen: () => RoutingView;
  explain: Explain;
  listBudgets: BudgetList['list'];
  cache: CacheAdmin;
  /** What captured bodies are opened with. */
  dataKeys: Pick<DataKeys, 'byId'>;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Unix ms. */
  now: () => number;
}

/** The whole admin surface behind its addresses: who may come in, and who does what. */
export class AdminSurface {
  readonly access: AdminAccess;
  /** Under which requests are fingerprinted: every gateway has it, and nothing that keeps a fingerprint. */
  readonly fingerprintKey: Buffer;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  readonly clientAddress: (request: IncomingMessage) => string | null;
  private readonly handlers: GatewayHandlers;
  private readonly forwarded: Forwarded;
  private readonly bodies: CapturedBodies;
  private description: string | null = null;

  constructor({ adminKey, callRouter, callUsage, clientAddress, seen, explain, listBudgets, cache, dataKeys, logger, now }: AdminSurroundings) {
    const router = new AppCalls<RouterRpc>(callRouter, 'router');
    this.access = new AdminAccess(adminKey, (request) => router.read('resolve_admin_token', request));
    this.fingerprintKey = createHmac('sha256', adminKey ?? '').update('deja fingerprints of admin requests').digest();
    this.logger = logger;
    this.clientAddress = clientAddress;
    const sealer = new ValueSealer(async () => (await router.read('vault_key', {})).publicKey);
    const usage = new AppCalls<UsageRpc>(callUsage, 'usage-worker');
    this.forwarded = new Forwarded(router, usage, sealer);
    this.bodies = new CapturedBodies(usage, dataKeys, logger);
    this.handlers = gatewayHandlers({
      credentials: new Credentials(router, sealer, now),
      vault: new Vault(router, logger, now),
      deployments: new Deployments(router, seen, now),
      plans: new PlanExplainer(explain),
      budgets: new Budgets(listBudgets, router),
      cache,
    });
  }

  /** Does an operation that is no stream. */
  async answer(operation: AdminOperation, call: OperationCall): Promise<Answer> {
    if (operation.owner !== 'gateway') {
      const answer = await this.forwarded.answer(operation, call);
      return operation.id === 'getRequest' ? this.withBodies(answer, call) : answer;
    }
    // The call was parsed by the schemas of this very operation.
    const handler = this.handlers[operation.id as keyof GatewayHandlers] as unknown as (call: OperationCall) => Promise<Answer>;
    return handler(call);
  }

  private async withBodies(answer: Answer, { params, change }: OperationCall): Promise<Answer> {
    return { ...answer, body: { ...(answer.body as object), captured: await this.bodies.of(params['id'] ?? '', change.by) } };
  }

  /** Does one that is, a portion at a time. */
  portions(operation: AdminOperation, call: OperationCall, signal: AbortSignal): Promise<AsyncGenerator<string>> {
    return this.forwarded.portions(operation, call, signal);
  }

  /** The OpenAPI description, as JSON. */
  openApi(): string {
    return (this.description ??= JSON.stringify(openApi()));
  }
}
