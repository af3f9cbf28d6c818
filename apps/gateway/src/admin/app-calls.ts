import { DejaError } from '@deja/contracts';
import { RpcFailure, RpcTimeout, RpcUnavailable } from '@deja/transport';

type Rpc<R> = { [P in keyof R]: { request: unknown; reply: unknown } };
type Pattern<R> = keyof R & string;
interface CallOptions {
  /** From now. */
  deadlineMs: number;
  signal?: AbortSignal;
}

/** One request to another app, as `StreamsClient.call` makes it. */
export type CallApp<R extends Rpc<R>> = <P extends Pattern<R>>(pattern: P, request: R[P]['request'], options: CallOptions) => Promise<R[P]['reply']>;

const READ_MS = 2_000;
/** Of the ledger: there may be much to look at. */
const LONG_READ_MS = 15_000;
/** A change may wrap a data key at another server. */
const CHANGE_MS = 10_000;
const RETRY_AFTER_MS = 1_000;

/** Fields whose name here is another than in the messages between apps. */
const WIRE_NAMES: Record<string, string> = { sealedValue: 'value', baseUrl: 'base_url', graceS: 'grace_s' };

/** What the admin surface asks another app. Rejects with what the operator is to be told. */
export class AppCalls<R extends Rpc<R>> {
  constructor(
    private readonly call: CallApp<R>,
    private readonly app: 'router' | 'usage-worker',
  ) {}

  async read<P extends Pattern<R>>(pattern: P, request: R[P]['request'], signal?: AbortSignal): Promise<R[P]['reply']> {
    const deadlineMs = this.app === 'router' ? READ_MS : LONG_READ_MS;
    return this.call(pattern, request, { deadlineMs, ...(signal && { signal }) }).catch((cause: unknown) => {
      throw this.told(cause, 'Try again shortly.');
    });
  }

  async change<P extends Pattern<R>>(pattern: P, request: R[P]['request']): Promise<R[P]['reply']> {
    return this.call(pattern, request, { deadlineMs: CHANGE_MS }).catch((cause: unknown) => {
      throw this.told(cause, 'The change may have been made: look before you repeat it.');
    });
  }

  private told(error: unknown, advice: string): unknown {
    if (error instanceof RpcTimeout || error instanceof RpcUnavailable) return new DejaError('overloaded', `No ${this.app} answered in time. ${advice}`, { retryAfterMs: RETRY_AFTER_MS, cause: error });
    if (error instanceof RpcFailure) return new DejaError('internal_error', `The ${this.app} failed to do this; its log says why.`, { cause: error });
    if (!(error instanceof DejaError) || error.param === null) return error;
    const { code, message, type, retry, retryAfterMs } = error;
    return new DejaError(code, message, { param: wireName(error.param), type, retry, cause: error, ...(retryAfterMs !== null && { retryAfterMs }) });
  }
}

/** As in `credential.baseUrl`, which an operator knows as `base_url`. */
function wireName(param: string): string {
  const [first = '', ...rest] = param.replace(/^credential\./, '').split('.');
  return [WIRE_NAMES[first] ?? first, ...rest].join('.');
}
