import { egressConnector, type OutboundRule, type Resolve } from '@deja/config';
import { Agent } from 'undici';

/** How long connections to providers are kept (decision 0047). */
export interface ConnectionBounds {
  /** Without a call; a server that says less in `keep-alive` is believed, one that says more up to `mostIdleMs`. */
  idleMs: number;
  mostIdleMs: number;
  /** From its beginning on it takes new calls for so long: the next ones look the name up again. A call under way ends as it would have. */
  lifeMs: number;
}

const BOUNDS: ConnectionBounds = { idleMs: 30_000, mostIdleMs: 120_000, lifeMs: 5 * 60_000 };

/**
 * Connections to providers, kept for the next call. As many as there are calls at once: one that had to wait for another to end would
 * wait as long as a model writes. The first that is free is taken, so that those which nobody needs any more become idle, and are closed.
 */
export function providerAgent(connectMs: number, checked: OutboundRule | null, resolve?: Resolve, bounds: ConnectionBounds = BOUNDS): Agent {
  return new Agent({
    connect: egressConnector(connectMs, checked, resolve),
    allowH2: false, // else the first call's handshake is waited for by all others, to see what is spoken
    pipelining: 1,
    keepAliveTimeout: bounds.idleMs,
    keepAliveMaxTimeout: bounds.mostIdleMs,
    clientTtl: bounds.lifeMs,
  });
}
