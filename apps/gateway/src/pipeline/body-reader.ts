import type { IncomingMessage } from 'node:http';
import { DejaError, type Principal } from '@deja/contracts';
import type { ClientAddresses } from '../keys/client-address.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { RoutingTable } from '../plan/routing-table.ts';
import type { BodyMemory } from './body-memory.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import { checkSize, validationFor } from '../validate/validator.ts';

/** A body of at most this size is read before anybody asks whose it is; it weighs no more than the headers may. */
const SMALL_BYTES = 64 * 1024;

/** A body that was not read, or not to its end: why, and whose it is where that is known. */
export class RefusedBody {
  constructor(
    readonly error: DejaError,
    readonly principal: Principal | null,
  ) {}
}

/** Reads the bodies of requests: a large one, or one of unknown length, only for a key that may send it, and never more than it may send. */
export class BodyReader {
  constructor(
    private readonly keys: KeyRing,
    private readonly routing: RoutingTable,
    private readonly addresses: ClientAddresses,
    private readonly memory: BodyMemory,
  ) {}

  /** Never rejects with a DejaError: what is refused is an operation, too, and is told to the client as one. */
  async read(request: IncomingMessage): Promise<Buffer | RefusedBody> {
    const length = request.headers['content-length'] === undefined ? null : Number(request.headers['content-length']);
    if (length !== null && length <= SMALL_BYTES) return collect(request, { most: SMALL_BYTES, expected: length, memory: this.memory, principal: null });
    let principal: Principal | null = null;
    try {
      principal = await this.keys.authenticate({ headers: request.headers, address: this.addresses.of(request), endpoint: endpointOf(request.url ?? '') });
      const rules = validationFor(principal, this.routing.snapshot());
      if (length !== null) checkSize(length, rules);
      return await collect(request, { most: rules.max_body_bytes, expected: 0, memory: this.memory, principal });
    } catch (error) {
      if (!(error instanceof DejaError)) throw error;
      request.resume(); // dropped as it comes, so that the client hears the answer
      return new RefusedBody(error, principal);
    }
  }
}

/** Below `/v1/`; whether there is such an endpoint is for the routes to say. */
const endpointOf = (url: string): string => url.replace(/\?.*$/s, '').replace(/^\/(v1\/)?/, '');

/**
 * All of a body; what it was refused with as soon as it is, and the rest of it is then dropped as it comes, so that the client hears the answer.
 * Rejects with the error that a request has when it breaks off.
 */
function collect(request: IncomingMessage, { most, expected, memory, principal }: { most: number; expected: number; memory: BodyMemory; principal: Principal | null }): Promise<Buffer | RefusedBody> {
  return new Promise((resolve, reject) => {
    // By events: to iterate over a stream takes longer than all else that is done to read a small body.
    const gathered = new GatheredBytes(expected);
    const share = memory.share();
    const take = (chunk: Buffer): void => {
      try {
        if (gathered.length + chunk.length > most) throw new DejaError('request_too_large', `The request body has more than ${most} bytes, which is the most allowed.`);
        share.take(chunk.length);
        gathered.add(chunk);
      } catch (error) {
        share.release();
        if (!(error instanceof DejaError)) return reject(error as Error);
        request.off('data', take).resume();
        resolve(new RefusedBody(error, principal));
      }
    };
    const broken = (): void => {
      share.release();
      // It closes also when it has come whole.
      if (!request.readableEnded) reject(request.errored ?? Object.assign(new Error('the request broke off'), { code: 'ECONNRESET' }));
    };
    if (request.destroyed) return broken();
    request.on('data', take).once('error', broken).once('close', broken).once('end', () => {
      share.release();
      resolve(gathered.bytes());
    });
  });
}
