import type { Principal, RoutingSnapshot } from '@deja/contracts';
import { headerText, tagsOf, userOf, type Operation } from '../operation/operation.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { ceilingsFor } from '../limits/ceilings.ts';
import type { Reserver } from '../limits/reserve.ts';
import type { RoutingTable } from '../plan/routing-table.ts';
import type { Settler } from '../settle/settler.ts';

/** The steps that pass-through calls share with all others: who asks, and whether the limits allow it. Nothing of them is cached. */
export class Admission {
  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly reserver: Reserver,
    private readonly settler: Settler,
  ) {}

  /** 2 Authenticate. Throws as the key ring and the routing table do. */
  async authenticate(operation: Operation): Promise<{ principal: Principal; snapshot: RoutingSnapshot }> {
    const principal = await operation.timed('auth', () => this.keys.authenticate(operation.headers));
    operation.principal = principal;
    operation.tags = tagsOf(headerText(operation.headers['x-deja-tags']));
    operation.user = userOf(headerText(operation.headers['x-deja-user']), null);
    operation.cache = 'BYPASS';
    operation.cacheReason = 'endpoint';
    return { principal, snapshot: this.routing.snapshot() };
  }

  /** 6 Reserve: one request, and as many tokens as are known beforehand. */
  async reserve(operation: Operation, principal: Principal, tokens: number, { settings }: RoutingSnapshot): Promise<void> {
    operation.estimatedPromptTokens = tokens;
    const open = operation.opening();
    const ceilings = ceilingsFor(principal, operation.user, settings.limits);
    const reserved = await operation.timed('reserve', () => this.reserver.reserve({ open, ceilings, tokens, exactKeys: [], presenceKey: null }, settings.limits.degraded));
    this.settler.opened(open, !reserved.degraded);
    operation.reservation = reserved.reservation;
  }
}
