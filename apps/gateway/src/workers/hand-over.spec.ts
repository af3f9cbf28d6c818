import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ClientsOfAStall } from '../../test/clients-of-a-stall.ts';
import type { Surface } from '../front.ts';
import { HandOver, type Taker } from './hand-over.ts';

/** Remembers what it was given. */
class Worker implements Taker {
  readonly given: { id: number; socket: Socket }[] = [];

  take({ id }: { id: number }, socket: Socket): void {
    this.given.push({ id, socket });
  }

  /** The id of what it was given last. */
  get last(): number {
    return this.given.at(-1)?.id ?? -1;
  }
}

const handOver = (): HandOver => new HandOver({ logger: { error: () => undefined } });

/** With this many workers, and so many connections accepted. */
function stage(workers: number, connections: number): { over: HandOver; workers: Worker[]; sockets: Socket[] } {
  const over = handOver();
  const all = Array.from({ length: workers }, () => new Worker());
  for (const worker of all) over.join(worker);
  const sockets = Array.from({ length: connections }, () => new Socket());
  for (const socket of sockets) over.accept('client', socket);
  return { over, workers: all, sockets };
}

describe('connections', () => {
  test('are given in turn, the next one when the one before was taken: a worker that is stuck gets one', () => {
    const { over, workers: [first, second, third], sockets } = stage(3, 9);
    expect([first, second, third].map((worker) => worker!.given.length)).toEqual([1, 1, 1]);
    for (let i = 0; i < 6; i++) for (const worker of [first!, third!]) over.taken(worker, worker.last);
    expect([first, second, third].map((worker) => worker!.given.length)).toEqual([4, 1, 4]);
    expect([first, second, third].flatMap((worker) => worker!.given.map(({ socket }) => socket)).toSorted((a, b) => sockets.indexOf(a) - sockets.indexOf(b))).toEqual(sockets);
  });

  test('wait while nobody is there, and are not lost', () => {
    const { over, sockets } = stage(0, 2);
    const worker = new Worker();
    over.join(worker);
    over.taken(worker, worker.last);
    expect(worker.given.map(({ socket }) => socket)).toEqual(sockets);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });

  test('that a dead worker had not taken are given to another, before those that came later', () => {
    const { over, workers: [dead, other], sockets } = stage(2, 4);
    over.leave(dead!);
    over.taken(other!, other!.last);
    expect(other!.given.map(({ socket }) => socket)).toEqual([sockets[1], sockets[0]]);
  });

  test('that did not get to a worker go to another one', () => {
    const { over, workers: [first, second] } = stage(2, 1);
    const id = over.untakenBy(first!);
    over.lost(first!, id!);
    expect([first!.given.length, second!.given.length, over.untakenBy(first!)]).toEqual([1, 1, null]);
    over.lost(second!, id!); // of an older one
    expect(over.untakenBy(second!)).toBe(second!.last);
  });

  test('are given no more to a worker that closes, which takes the one that it was given', () => {
    const { over, workers: [closing, other], sockets } = stage(2, 3);
    over.rest(closing!);
    over.taken(closing!, closing!.last);
    over.taken(other!, other!.last);
    expect([closing!, other!].map(({ given }) => given.map(({ socket }) => socket))).toEqual([[sockets[0]], [sockets[1], sockets[2]]]);
  });

  test('that a worker does not take in time are another’s, also where it says so later; it is given the next one only then', () => {
    const { over, workers: [stuck, other], sockets } = stage(2, 2);
    const late = stuck!.last;
    over.takeBack(stuck!, late);
    over.taken(other!, other!.last);
    expect(other!.given.map(({ socket }) => socket)).toEqual([sockets[1], sockets[0]]);
    const next = new Socket();
    over.accept('client', next);
    over.taken(other!, other!.last);
    over.taken(stuck!, late);
    expect([over.isOf(stuck!, late), over.isOf(other!, other!.given[1]!.id)]).toEqual([false, true]);
    over.takeBack(stuck!, late); // of an older one
    over.accept('client', new Socket());
    expect([stuck!.given.length, other!.given.map(({ socket }) => socket)]).toEqual([2, [sockets[1], sockets[0], next]]);
  });

  describe('that no worker takes', () => {
    /** Enough for whoever came before the first of them. */
    const LOOKS = 9;

    function refusing(workers: number, room = Infinity): { over: HandOver; workers: Worker[]; refused: Socket[]; come: (surface: Surface) => Socket } {
      const refused: Socket[] = [];
      const over = new HandOver({ logger: { error: () => undefined }, refuse: (socket) => refused.length < room && refused.push(socket) > 0 });
      const all = Array.from({ length: workers }, () => new Worker());
      for (const worker of all) over.join(worker);
      const come = (surface: Surface): Socket => {
        const socket = new Socket();
        over.accept(surface, socket);
        return socket;
      };
      return { over, workers: all, refused, come };
    }

    test('are refused after two seconds, and those that came later are not yet', () => {
      const { over, workers: [busy], refused, come } = refusing(1);
      const [given, first] = [come('client'), come('client')];
      for (let i = 1; i < LOOKS; i++) over.look();
      const second = come('client');
      expect(refused).toEqual([]);
      over.look();
      expect(refused).toEqual([first]);
      over.takeBack(busy!, busy!.last); // has waited as long, at its worker's
      over.look();
      expect(refused).toEqual([first, given]);
      for (let i = 2; i < LOOKS; i++) over.look();
      expect(refused).toEqual([first, given, second]);
    });

    test('wait where there is no room to refuse them, the longest first to be refused', () => {
      const { over, workers: [busy], refused, come } = refusing(1, 2);
      come('client');
      const [first, second, third] = [come('client'), come('client'), come('client')];
      for (let i = 0; i < 2 * LOOKS; i++) over.look();
      expect(refused).toEqual([first, second]);
      over.taken(busy!, busy!.last);
      expect(busy!.given.at(-1)?.socket).toBe(third);
    });

    test('wait on where there is no worker at all, and where they are the admin API’s, which comes before clients', () => {
      const none = refusing(0);
      const waiting = [none.come('client'), none.come('client')];
      for (let i = 0; i < 3 * LOOKS; i++) none.over.look();
      const later = new Worker();
      none.over.join(later);
      none.over.look(); // it has just begun
      expect([none.refused, later.given.map(({ socket }) => socket)]).toEqual([[], waiting.slice(0, 1)]);

      const { over, workers: [busy], refused, come } = refusing(1);
      const [given, client, admin] = [come('client'), come('client'), come('admin')];
      for (let i = 0; i < LOOKS; i++) over.look();
      over.taken(busy!, busy!.last);
      expect([refused, busy!.given.map(({ socket }) => socket)]).toEqual([[client], [given, admin]]);
    });

    test('are refused at once where 8192 wait, and let a gateway that stops end', async () => {
      const { over, workers: [busy], refused, come } = refusing(1);
      come('client');
      const all = Array.from({ length: 8193 }, () => come('client'));
      expect(refused).toEqual(all.slice(-1));
      const closed = over.close();
      await new Promise(setImmediate);
      for (let i = 0; i < LOOKS; i++) over.look();
      expect(refused).toHaveLength(8193);
      over.taken(busy!, busy!.last);
      await closed;
    });
  });

  test('are with one worker at a time, or wait, whatever happens in whatever order; none is lost or two workers’, and none waits while a worker is free', () => {
    const event = fc.record({ what: fc.constantFrom('accept', 'accept', 'taken', 'taken', 'leave', 'join', 'rest', 'lost', 'back', 'back'), who: fc.nat({ max: 3 }) });
    fc.assert(fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const { over, workers } = stage(4, 0);
      const here = new Set(workers);
      const resting = new Set<Worker>();
      /** What each was given; null: and it was taken back. */
      const untaken = new Map<Worker, Socket | null>();
      const nobodys = new Set<Socket>();
      const taken: (Socket | null)[] = [];
      const returned: (Socket | null)[] = [];
      for (const worker of workers) worker.take = ({ id }, socket) => {
        expect([here.has(worker), resting.has(worker), untaken.has(worker)]).toEqual([true, false, false]);
        expect([...untaken.values()]).not.toContain(socket);
        expect(socket.destroyed).toBe(false);
        worker.given.push({ id, socket });
        untaken.set(worker, socket);
      };
      for (const { what, who } of events) {
        const worker = workers[who]!;
        if (what === 'accept') {
          const socket = new Socket();
          nobodys.add(socket);
          over.accept('client', socket);
        } else if (what === 'join' && !here.has(worker)) {
          here.add(worker);
          over.join(worker);
        } else if (what === 'rest' && here.has(worker)) {
          resting.add(worker);
          over.rest(worker);
        } else if (what === 'leave' && here.has(worker)) {
          here.delete(worker);
          resting.delete(worker);
          untaken.delete(worker);
          over.leave(worker);
        } else if (what === 'lost' && untaken.delete(worker)) over.lost(worker, worker.last);
        else if (what === 'back' && untaken.has(worker)) {
          untaken.set(worker, null);
          over.takeBack(worker, worker.last);
        } else if (what === 'taken' && untaken.has(worker)) {
          const socket = untaken.get(worker) ?? null;
          const { last } = worker;
          untaken.delete(worker);
          if (socket !== null) nobodys.delete(socket);
          over.taken(worker, last);
          if (over.isOf(worker, last)) taken.push(socket);
          else returned.push(socket);
        }
        const given = [...untaken.values()].filter((socket) => socket !== null);
        expect(given.every((socket) => nobodys.has(socket))).toBe(true);
        const isAnyFree = [...here].some((one) => !resting.has(one) && !untaken.has(one));
        expect(isAnyFree ? given.length : nobodys.size).toBe(nobodys.size);
      }
      expect(new Set(taken).size).toBe(taken.length);
      expect(taken.every((socket) => socket?.destroyed)).toBe(true);
      expect(returned.every((socket) => socket === null)).toBe(true);
    }));
  });
});

describe('a port', () => {
  const open: (() => void)[] = [];
  afterEach(() => {
    for (const close of open.splice(0)) close();
  });

  test('hands its connections over unread: what the client sent before anyone took it is all there', async () => {
    const over = handOver();
    const port = await over.open('client', 0, '127.0.0.1');
    const client = connect(port, '127.0.0.1');
    open.push(() => (void over.close(), client.destroy()));
    client.write('hello');
    await once(client, 'connect');
    const { promise, resolve } = Promise.withResolvers<Socket>();
    over.join({ take: (_connection, socket) => resolve(socket) });
    const socket = await promise;
    expect(socket.bytesRead).toBe(0);
    socket.resume();
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    socket.destroy();
  });

  test('that is in use is the error of the start', async () => {
    const over = handOver();
    open.push(() => void over.close());
    const port = await over.open('client', 0, '127.0.0.1');
    await expect(handOver().open('client', port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('that closes first gives away all that came to it while the process stood still, and waits until it is taken', async () => {
    const over = handOver();
    const port = await over.open('client', 0, '127.0.0.1');
    const fresh = 100;
    const clients = await ClientsOfAStall.ready({ port, kept: 0, fresh, request: 'hello', quietMs: 0 });
    let taken = 0;
    const worker: Taker = {
      take: ({ id }, socket) => void setImmediate(() => {
        taken += 1;
        socket.end(`${taken}`);
        over.taken(worker, id);
      }),
    };
    over.join(worker);
    try {
      clients.stall();
      await over.close();
      expect(taken).toBe(fresh);
      await once(connect(port, '127.0.0.1'), 'error');
    } finally {
      await clients.end();
    }
  });
});
