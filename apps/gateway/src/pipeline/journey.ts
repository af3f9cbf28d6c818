import type { ServerResponse } from 'node:http';
import type { Principal, RoutingSnapshot } from '@deja/contracts';
import type { Operation } from '../operation/operation.ts';
import type { ApiRequest, Endpoint } from './endpoint.ts';

/** One request on its way: what validation and guard made of it, under the settings it began with. */
export interface Journey {
  endpoint: Endpoint;
  operation: Operation;
  principal: Principal;
  request: ApiRequest;
  promptTokens: number;
  /** What the turns of its conversation have in common; null where it matters to nobody. */
  affinityKey: string | null;
  snapshot: RoutingSnapshot;
  response: ServerResponse;
}
