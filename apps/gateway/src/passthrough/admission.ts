import type { Principal, RoutingSnapshot } from '@deja/contracts';
import { capturedFor } from '../capture/captured.ts';
import type { Operation } from '../operation/operation.ts';
import { headerText, tagsOf, userOf } from '../operation/request-headers.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { checkPriority } from '../overload/priority.ts';
import type { Reservations } from '../limits/reservations.ts';
import type { RoutingTable } from '../plan/routing-table.ts';

/** The steps that pass-through calls share with all others: who asks, and whether the limits allow it. Nothing of them is cached. */
export class Admission {
  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly reservations: Reservations,
  ) {}

  /** 2 Authenticate. Throws as the key ring and the routing table do. */
  async authenticate(operation: Operation): Promise<{ principal: Principal; snapshot: RoutingSnapshot }> {
    const principal = await operation.timed('auth', () => this.keys.authenticateKnown(operation) ?? this.keys.authenticate(operation));
    operation.principal = principal;
    checkPriority(operation.headers);
    operation.requestTags = tagsOf(headerText(operation.headers['x-deja-tags']));
    operation.user = userOf(headerText(operation.headers['x-deja-user']), null);
    operation.cache = 'BYPASS';
    operation.cacheReason = 'endpoint';
    const snapshot = this.routing.snapshot();
    operation.genAiOperation = operation.endpoint;
    operation.captured = capturedFor(principal, snapshot.settings);
    return { principal, snapshot };
  }

  /** 6 Reserve: one request, and as many tokens as are known beforehand. What it costs nobody knows; a budget that is used up refuses it all the same. */
  async reserve(operation: Operation, tokens: number, snapshot: RoutingSnapshot): Promise<void> {
    await operation.timed('reserve', () => this.reservations.reserve(operation, snapshot, { promptTokens: tokens, mostPromptTokens: () => tokens, outputTokens: 0, choices: 1, plan: null, exactKeys: [], presenceKey: null }));
  }
}
