import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Counter, Meter } from '@opentelemetry/api';
import type { Slow } from './connection-deadlines.ts';

/**
 * Why a gateway closed a connection that its client would have kept: there were too many; the head of a request did not come in time, or not all of the request within an hour;
 * a body, the end of one that was answered, or the reading of an answer was too slow; a head was too large; what came was no HTTP.
 */
export type CloseReason = 'too_many' | 'head' | Slow | 'headers_too_large' | 'unreadable';

const REASONS: readonly CloseReason[] = ['too_many', 'head', 'body', 'lingering', 'unread', 'headers_too_large', 'unreadable'];
const BY_CODE: Record<string, CloseReason> = { ERR_HTTP_REQUEST_TIMEOUT: 'head', HPE_HEADER_OVERFLOW: 'headers_too_large' };

/** The client connections of all servers of a process. */
export class ConnectionMetrics {
  private readonly closings: Counter;
  private open = 0;

  constructor(meter: Meter) {
    meter.createObservableGauge('deja.gateway.connections', { description: 'Connections of clients, of the admin API too' }).addCallback((gauge) => gauge.observe(this.open));
    this.closings = meter.createCounter('deja.gateway.connections.closed', { description: 'Connections that the gateway closed although their clients would have kept them, by reason' });
    for (const reason of REASONS) this.closings.add(0, { reason });
  }

  readonly closed = (reason: CloseReason): void => this.closings.add(1, { reason });

  /** The same server, whose connections are counted, and what Node itself finds wrong with them. */
  of(server: Server): Server {
    const wrong = new WeakSet<object>();
    server.on('connection', (socket: Socket) => {
      this.open += 1;
      socket.once('close', () => (this.open -= 1));
    });
    // What comes by a connection whose bytes could not be read is an error again.
    server.on('clientError', ({ code = '' }: NodeJS.ErrnoException, socket) => {
      const reason = BY_CODE[code] ?? (code.startsWith('HPE_') ? 'unreadable' : null);
      if (reason === null || wrong.has(socket)) return;
      wrong.add(socket);
      this.closed(reason);
    });
    return server;
  }
}
