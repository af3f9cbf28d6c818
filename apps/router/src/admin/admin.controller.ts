import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ADMIN_OPERATIONS } from '@deja/admin-api';
import { DejaError, type RouterRpc } from '@deja/contracts';
import { TokenDirectory } from '../admin-tokens/token-directory.ts';
import { parsed } from '../parsed-payload.ts';
import { TenantsRepository } from '../tenants/tenants.repository.ts';
import { ADMIN_CALL, AUDITED_CHANGE, RESOLVE_ADMIN_TOKEN } from './admin-payload.ts';
import { Changes } from './changes.ts';
import { onDatabase } from './database-trouble.ts';
import { AdminDispatcher } from './dispatcher.ts';
import { checkAllowed, checkMayMakeFor, noTenant } from './scope.ts';

/** What the admin API asks of the router, but for credentials and deployments (vault/vault.controller.ts). See RouterRpc in the contracts. */
@Controller()
export class AdminController {
  constructor(
    private readonly tokens: TokenDirectory,
    private readonly dispatcher: AdminDispatcher,
    private readonly changes: Changes,
    private readonly tenants: TenantsRepository,
  ) {}

  @MessagePattern('resolve_admin_token')
  resolveAdminToken(@Payload() payload: unknown): Promise<RouterRpc['resolve_admin_token']['reply']> {
    return this.tokens.resolve(parsed(RESOLVE_ADMIN_TOKEN, payload));
  }

  @MessagePattern('admin')
  admin(@Payload() payload: unknown): Promise<RouterRpc['admin']['reply']> {
    return this.dispatcher.answer(parsed(ADMIN_CALL, payload));
  }

  @MessagePattern('audit')
  async audit(@Payload() payload: unknown): Promise<RouterRpc['audit']['reply']> {
    const { change, outcome, ...entry } = parsed(AUDITED_CHANGE, payload);
    const operation = ADMIN_OPERATIONS.find(({ id, owner, change: isChange }) => id === entry.action && owner !== 'router' && isChange);
    if (operation === undefined) throw new DejaError('invalid_value', 'There is no change of this name that others than the router make.', { param: 'action' });
    checkAllowed(change.by, operation);
    checkMayMakeFor(change.by, entry.tenant);
    // The ledger keeps what deleted tenants used.
    const { tenant } = entry;
    if (operation.owner === 'usage-worker' && tenant !== null && !(await onDatabase(() => this.tenants.wasEver(tenant)))) throw noTenant();
    const { body, replayed } = await this.changes.run(change, () => Promise.resolve({ body: outcome ?? null, etag: null, audit: { ...entry, before: null } }));
    return { outcome: body, replayed };
  }
}
