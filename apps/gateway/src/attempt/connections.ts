import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { egressConnector, type OutboundRule, type Resolve } from '@deja/config';
import { Agent, Client, type Dispatcher } from 'undici';

/** How long connections to providers are kept. Decision 0047 says why so long. */
export interface ConnectionBounds {
  /** Without a call; a server that says less in `keep-alive` is believed, one that says more up to `mostIdleMs`. */
  idleMs: number;
  mostIdleMs: number;
  /** From its beginning on it takes new calls for so long: then names are looked up again. Calls under way end as they would have. */
  lifeMs: number;
  /** HTTP/2: how often the other side is asked whether it is there. */
  pingMs: number;
}

const BOUNDS: ConnectionBounds = { idleMs: 30_000, mostIdleMs: 120_000, lifeMs: 5 * 60_000, pingMs: 10_000 };

/** Of one HTTP/2 connection; a server may allow fewer. More calls get more connections. */
const MOST_STREAMS = 100;

/**
 * Connections to providers: kept for the next call, HTTP/2 where a server offers it. As many as there are calls at once: a call that had
 * to wait for another one to end would wait as long as a model writes.
 */
export function providerAgent(connectMs: number, checked: OutboundRule | null, resolve?: Resolve, bounds: ConnectionBounds = BOUNDS): Agent {
  const connect = egressConnector(connectMs, checked, resolve);
  const agent = new Agent({
    connect: (target, done) =>
      connect(target, (...outcome) => {
        const [error, socket] = outcome;
        if (error === null && isHttp2(socket)) watch(socket, bounds.pingMs);
        done(...outcome);
      }),
    keepAliveTimeout: bounds.idleMs,
    keepAliveMaxTimeout: bounds.mostIdleMs,
    clientTtl: bounds.lifeMs,
    pipelining: 1,
    h2Options: { maxConcurrentStreams: MOST_STREAMS, pingInterval: bounds.pingMs },
  });
  agent.on('disconnect', (_origin, targets) => goOnBeside(targets.at(-1)));
  agent.on('connect', (_origin, targets) => setRoom(targets.at(-1), 1));
  return agent;
}

/**
 * A server that takes no more calls by an HTTP/2 connection (GOAWAY) may refuse some that were on their way. undici sends them again by a
 * new one, but, as if it still had HTTP/1.1 to do with, only when all calls that the former one still carries have ended: minutes, with
 * streams of a model. With room for these it connects at once.
 */
function goOnBeside(client: Dispatcher | undefined): void {
  if (client instanceof Client && client.stats.running > 0 && client.stats.pending > 0) setRoom(client, MOST_STREAMS + 1);
}

function setRoom(client: Dispatcher | undefined, calls: number): void {
  if (client instanceof Client && client.pipelining !== calls) client.pipelining = calls;
}

const isHttp2 = (socket: Socket): boolean => (socket as TLSSocket).alpnProtocol === 'h2';

/** So many times in a row nothing may have come between one look and the next. */
const MOST_SILENT_LOOKS = 1;

/**
 * Ends an HTTP/2 connection that does not even answer pings. One that died without a word (a NAT that forgot it, a host that is gone)
 * would else take every further call, and each would come to its deadline: unlike with HTTP/1.1, a call that is given up leaves the
 * connection as it is, and undici does not miss the answers to its pings.
 */
function watch(socket: Socket, pingMs: number): void {
  let bytesRead = -1;
  let silentLooks = 0;
  const look = (): void => {
    silentLooks = socket.bytesRead === bytesRead ? silentLooks + 1 : 0;
    bytesRead = socket.bytesRead;
    if (silentLooks > MOST_SILENT_LOOKS) socket.destroy(new SilentConnection(silentLooks * pingMs));
  };
  // What has come while the process was busy is read before it is judged.
  const timer = setInterval(() => setImmediate(look), pingMs).unref();
  socket.once('close', () => clearInterval(timer));
}

/** A connection that was given up because nothing came by it any more. */
export class SilentConnection extends Error {
  readonly code = 'SILENT_CONNECTION';

  constructor(ms: number) {
    super(`nothing came for ${ms} ms, not even an answer to pings`);
  }
}
