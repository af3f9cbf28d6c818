import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Logger } from '@deja/telemetry';
import { acceptWaiting } from '../accept-queue.ts';
import type { Surface } from '../front.ts';
import { BACKLOG } from '../wide-port.ts';

/** One that connections are given to. */
export interface Taker {
  /** Takes a connection, of which nothing has been read, and says some time later that it is its own (HandOver.taken). */
  take(connection: { id: number; surface: Surface }, socket: Socket): void;
}

interface Connection {
  surface: Surface;
  socket: Socket;
  /** How often it had been looked whom workers have no time for, when it came. */
  since: number;
}

export interface HandOverOptions {
  logger: Pick<Logger, 'error'>;
  /** Refuses the request of a client's connection that no worker takes; false where there is no room for it yet. null: it waits. */
  refuse?: ((socket: Socket) => boolean) | null;
}

/** More than come at once, and both together fewer than there may be open files. Further ones are refused, or closed. */
const MOST_WAITING: Readonly<Record<Surface, number>> = { client: 8192, admin: 1024 };

/** How often it is to be looked who waits, ms. */
export const LOOK_EVERY_MS = 250;

/**
 * Whoever has waited for so many looks, 2 s, is refused. Counted in looks and not by a clock: a process that stood still itself takes nobody for busy. As long as the
 * longest answers of a gateway of one process take when a flood begins.
 */
const PATIENCE_LOOKS = 8;

/** What a worker was given last. */
interface Given {
  id: number;
  /** null: it was taken back since. */
  connection: Connection | null;
}

/**
 * The ports of a gateway, whose connections are given to its workers in turn, the next one when the one before has been taken: one that is busy gets fewer, and
 * one that is stuck gets one, which is taken back. Those of the admin API come first. A connection stays here until a worker has said that it is its own, before it has read of it: what one that died
 * had not taken is another's, and no client notices.
 */
export class HandOver {
  private readonly servers: Server[] = [];
  /** What each has said nothing about yet. */
  private readonly given = new Map<Taker, Given>();
  /** What each took last. */
  private readonly own = new WeakMap<Taker, number>();
  /** Who may be given the next one, in the order of their turns. */
  private readonly free = new Set<Taker>();
  private readonly resting = new WeakSet<Taker>();
  private readonly waiting: Record<Surface, Connection[]> = { client: [], admin: [] };
  private readonly logger: Pick<Logger, 'error'>;
  private readonly refuse: ((socket: Socket) => boolean) | null;
  private looks = 0;
  private lastId = 0;
  private closed: Promise<void> | null = null;
  private readonly nobodyWaits = Promise.withResolvers<void>();
  private isClosed = false;

  constructor({ logger, refuse = null }: HandOverOptions) {
    this.logger = logger;
    this.refuse = refuse;
  }

  /** Listens; resolves with the port, also of a port 0. Rejects where it is in use. */
  async open(surface: Surface, port: number, host: string): Promise<number> {
    // Not paused, a connection would be read here.
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on('error', () => undefined); // whoever has it, notices
      this.accept(surface, socket);
    });
    server.listen({ port, host, backlog: BACKLOG });
    await once(server, 'listening');
    const { port: bound } = server.address() as AddressInfo;
    server.on('error', (error) => this.logger.error({ err: error, surface }, 'a connection could not be accepted'));
    if (this.closed === null) this.servers.push(server);
    else server.close(); // told to stop while it started
    return bound;
  }

  /** A connection that is to be given to whoever is next. */
  accept(surface: Surface, socket: Socket): void {
    const waiting = this.waiting[surface];
    if (waiting.length >= MOST_WAITING[surface]) return this.turnAway(surface, socket);
    waiting.push({ surface, socket, since: this.looks });
    this.give();
  }

  /** Refuses those for whom no worker has had time; to be called every LOOK_EVERY_MS. Where there is no worker at all nobody loses patience: they wait for one. */
  look(): void {
    if (this.refuse === null || this.given.size === 0) return;
    this.looks += 1;
    const { client } = this.waiting;
    let refused = 0;
    for (const { since, socket } of client) {
      if (this.looks - since <= PATIENCE_LOOKS || !this.refuse(socket)) break;
      refused += 1;
    }
    client.splice(0, refused);
    this.endIfOver();
  }

  /** From now on it is given connections. */
  join(taker: Taker): void {
    this.free.add(taker);
    this.give();
  }

  /** A connection belongs to who was given it, unless it was taken back. */
  taken(taker: Taker, id: number): void {
    const given = this.given.get(taker);
    if (given?.id !== id) return;
    this.given.delete(taker);
    if (given.connection !== null) {
      given.connection.socket.destroy(); // this process's hold on it; the other one keeps its own
      this.own.set(taker, id);
    }
    this.freed(taker);
  }

  /** Whether it took that connection, which it was given last, before it was taken back. */
  isOf(taker: Taker, id: number): boolean {
    return this.own.get(taker) === id;
  }

  /** The connection that it was given and has not taken; null when there is none. */
  untakenBy(taker: Taker): number | null {
    return this.given.get(taker)?.id ?? null;
  }

  /** It has not taken the connection for too long: another one gets it. It is given no further one until it says something of this one. */
  takeBack(taker: Taker, id: number): void {
    const given = this.given.get(taker);
    if (given?.id !== id) return;
    this.retrieve(given);
    this.give();
  }

  /** It never got the connection, as when it has no file left to open: another one gets it. */
  lost(taker: Taker, id: number): void {
    const given = this.given.get(taker);
    if (given?.id !== id) return;
    this.given.delete(taker);
    this.retrieve(given);
    this.give();
    this.freed(taker);
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
    if (left !== undefined) this.retrieve(left);
    this.give();
  }

  /** No port is listened at any more. Resolves when all that had come there by then is taken. */
  close(): Promise<void> {
    this.closed ??= this.closeAll();
    return this.closed;
  }

  private async closeAll(): Promise<void> {
    await Promise.all(this.servers.splice(0).map(async (server) => {
      await acceptWaiting([server]);
      server.close();
    }));
    this.isClosed = true;
    this.give();
    await this.nobodyWaits.promise;
  }

  private freed(taker: Taker): void {
    if (!this.resting.has(taker)) this.free.add(taker);
    this.give();
  }

  private retrieve(given: Given): void {
    if (given.connection !== null) this.waiting[given.connection.surface].unshift(given.connection);
    given.connection = null;
  }

  private turnAway(surface: Surface, socket: Socket): void {
    if (surface !== 'client' || this.refuse?.(socket) !== true) socket.destroy();
  }

  private give(): void {
    for (const taker of this.free) {
      const next = this.waiting.admin.shift() ?? this.waiting.client.shift();
      if (next === undefined) break;
      this.lastId += 1;
      this.free.delete(taker);
      this.given.set(taker, { id: this.lastId, connection: next });
      taker.take({ id: this.lastId, surface: next.surface }, next.socket);
    }
    this.endIfOver();
  }

  private endIfOver(): void {
    const { admin, client } = this.waiting;
    if (this.isClosed && admin.length + client.length === 0 && [...this.given.values()].every(({ connection }) => connection === null)) this.nobodyWaits.resolve();
  }
}
