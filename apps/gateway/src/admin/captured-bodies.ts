import type { RequestObject } from '@deja/admin-api';
import { DejaError, type AdminActor, type CapturedExchange, type CapturedPart, type SealedBody, type UsageRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { RpcCancelled, RpcFailure, RpcTimeout, RpcUnavailable } from '@deja/transport';
import type { DataKey, DataKeys } from '../capture/data-keys.ts';
import { openBody } from '../capture/seal.ts';
import type { AppCalls } from './app-calls.ts';

/** What a single request's object says of its bodies. */
export type CapturedObject = NonNullable<RequestObject['captured']>;

/** Opens the bodies of a request for those who may read them. */
export class CapturedBodies {
  constructor(
    private readonly usage: Pick<AppCalls<UsageRpc>, 'read'>,
    private readonly keys: Pick<DataKeys, 'byId'>,
    private readonly logger: Pick<Logger, 'error'>,
  ) {}

  /**
   * What was captured of an operation, in clear; null where nothing was or is left, and for whoever may see figures only (`viewer`), or another tenant's.
   * Rejects with `overloaded` when it cannot be had at the moment.
   */
  async of(operation: string, by: Pick<AdminActor, 'role' | 'tenant'>): Promise<CapturedObject | null> {
    if (by.role === 'viewer') return null;
    const { captured } = await this.usage.read('captured', { operation, tenant: by.tenant });
    if (captured === null || (by.tenant !== null && captured.tenant !== by.tenant)) return null;
    const { mode, request, response } = captured;
    const key = await this.keyOf(captured);
    const truncated = request?.truncated === true || response?.truncated === true;
    if (key === null) return { mode, request: null, response: null, truncated, shredded: true };
    const [opened, answered] = await Promise.all([this.open(captured, 'request', request, key), this.open(captured, 'response', response, key)]);
    return { mode, request: opened, response: answered, truncated, shredded: false };
  }

  private async keyOf({ tenant, dataKey }: CapturedExchange): Promise<DataKey | null> {
    try {
      return await this.keys.byId(tenant, dataKey);
    } catch (cause) {
      const isAway = [RpcTimeout, RpcUnavailable, RpcFailure, RpcCancelled].some((kind) => cause instanceof kind);
      if (!isAway) throw cause;
      throw new DejaError('overloaded', 'No router gave the key of the captured bodies in time. Try again shortly.', { retryAfterMs: 1000, cause });
    }
  }

  /** As JSON where it is JSON. What does not open was changed since it was sealed: the log says so, and nothing of it is shown. */
  private async open({ tenant, operation }: CapturedExchange, part: CapturedPart, body: SealedBody | null, { key }: DataKey): Promise<unknown> {
    if (body === null) return null;
    let text: string;
    try {
      text = await openBody(body, key, { tenant, operation, part });
    } catch (error) {
      this.logger.error({ err: error, request_id: operation, part }, 'a captured body does not open: it is not what a gateway sealed');
      return null;
    }
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text; // it ends early
    }
  }
}
