import { DejaError, type RouterRpc } from '@deja/contracts';
import { RpcFailure, RpcTimeout, RpcUnavailable } from '@deja/transport';

type Pattern = keyof RouterRpc;

/** One request to the router, as `StreamsClient.call` makes it; `deadlineMs` from now. */
export type CallRouter = <P extends Pattern>(pattern: P, request: RouterRpc[P]['request'], deadlineMs: number) => Promise<RouterRpc[P]['reply']>;

const READ_MS = 2_000;
/** A change may wrap a data key at another server. */
const CHANGE_MS = 10_000;
const RETRY_AFTER_MS = 1_000;

/** Fields whose name here is another than in the messages between apps. */
const WIRE_NAMES: Record<string, string> = { sealedValue: 'value', baseUrl: 'base_url', graceS: 'grace_s' };

/** What the admin surface asks the router. Rejects with what the operator is to be told. */
export class RouterCalls {
  constructor(private readonly call: CallRouter) {}

  async read<P extends Pattern>(pattern: P, request: RouterRpc[P]['request']): Promise<RouterRpc[P]['reply']> {
    return this.call(pattern, request, READ_MS).catch((cause: unknown) => {
      throw told(cause, 'No router answered in time. Try again shortly.');
    });
  }

  async change<P extends Pattern>(pattern: P, request: RouterRpc[P]['request']): Promise<RouterRpc[P]['reply']> {
    return this.call(pattern, request, CHANGE_MS).catch((cause: unknown) => {
      throw told(cause, 'No router answered in time. The change may have been made: look before you repeat it.');
    });
  }
}

function told(error: unknown, silence: string): unknown {
  if (error instanceof RpcTimeout || error instanceof RpcUnavailable) return new DejaError('overloaded', silence, { retryAfterMs: RETRY_AFTER_MS, cause: error });
  if (error instanceof RpcFailure) return new DejaError('internal_error', 'The router failed to do this; its log says why.', { cause: error });
  if (!(error instanceof DejaError) || error.param === null) return error;
  const { code, message, type, retry, retryAfterMs } = error;
  return new DejaError(code, message, { param: wireName(error.param), type, retry, cause: error, ...(retryAfterMs !== null && { retryAfterMs }) });
}

/** As in `credential.baseUrl`, which an operator knows as `base_url`. */
function wireName(param: string): string {
  const [first = '', ...rest] = param.replace(/^credential\./, '').split('.');
  return [WIRE_NAMES[first] ?? first, ...rest].join('.');
}
