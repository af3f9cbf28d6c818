import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Logger } from '@deja/telemetry';
import type { Surface } from '../front.ts';

/** One that connections are given to. */
export interface Taker {
  /** Takes a connection, of which nothing has been read, and says some time later that it is its own (HandOver.taken). */
  take(connection: { id: number; surface: Surface }, socket: Socket): void;
}

interface Connection {
  surface: Surface;
  socket: Socket;
}

/** More than come at once, and fewer than there may be open files. Further ones are closed. */
const MOST_WAITING = 8192;

/**
 * The ports of a gateway, whose connections are given to its workers in turn, the next one when the one before has been taken: one that is busy gets fewer, and
 * one that is stuck gets one. A connection stays here until a worker has said that it is its own, before it has read of it: what one that died had not taken is
 * another's, and no client notices.
 */
export class HandOver {
  private readonly servers: Server[] = [];
  /** What each was given last, and has not taken yet. */
  private readonly given = new Map<Taker, Connection & { id: number }>();
  /** Who may be given the next one, in the order of their turns. */
  private readonly free = new Set<Taker>();
  private readonly resting = new WeakSet<Taker>();
  private readonly waiting: Connection[] = [];
  private readonly logger: Pick<Logger, 'error'>;
  private lastId = 0;

  constructor(logger: Pick<Logger, 'error'>) {
    this.logger = logger;
  }

  /** Listens; resolves with the port, also of a port 0. Rejects where it is in use. */
  async open(surface: Surface, port: number, host: string): Promise<number> {
    // Not paused, a connection would be read here.
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on('error', () => undefined); // whoever has it, notices
      this.accept(surface, socket);
    });
    server.listen(port, host);
    await once(server, 'listening');
    server.on('error', (error) => this.logger.error({ err: error, surface }, 'a connection could not be accepted'));
    this.servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** A connection that is to be given to whoever is next. */
  accept(surface: Surface, socket: Socket): void {
    if (this.waiting.push({ surface, socket }) > MOST_WAITING) this.waiting.pop()?.socket.destroy();
    this.give();
  }

  /** From now on it is given connections. */
  join(taker: Taker): void {
    this.free.add(taker);
    this.give();
  }

  /** A connection belongs to who was given it. */
  taken(taker: Taker, id: number): void {
    const given = this.given.get(taker);
    if (given?.id !== id) return;
    given.socket.destroy(); // this process's hold on it; the other one keeps its own
    this.given.delete(taker);
    if (!this.resting.has(taker)) this.free.add(taker);
    this.give();
  }

  /** The connection that it was given and has not taken; null when there is none. */
  untakenBy(taker: Taker): number | null {
    return this.given.get(taker)?.id ?? null;
  }

  /** It never got the connection, as when it has no file left to open: another one gets it. */
  lost(taker: Taker, id: number): void {
    const lost = this.given.get(taker);
    if (lost?.id !== id) return;
    this.given.delete(taker);
    this.waiting.unshift(lost);
    this.give();
    if (!this.resting.has(taker)) this.free.add(taker);
    this.give();
  }

  /** It is given nothing more, and takes what it was given. */
  rest(taker: Taker): void {
    this.resting.add(taker);
    this.free.delete(taker);
  }

  /** It is gone, and all that it had to say was heard: what it has not taken is given to another. */
  leave(taker: Taker): void {
    const left = this.given.get(taker);
    this.given.delete(taker);
    this.free.delete(taker);
    this.resting.delete(taker);
    if (left !== undefined) this.waiting.unshift(left);
    this.give();
  }

  /** No port is listened at any more. What was accepted is still given. */
  close(): void {
    for (const server of this.servers.splice(0)) server.close();
  }

  private give(): void {
    for (const taker of this.free) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.lastId += 1;
      this.free.delete(taker);
      this.given.set(taker, { ...next, id: this.lastId });
      taker.take({ id: this.lastId, surface: next.surface }, next.socket);
    }
  }
}
