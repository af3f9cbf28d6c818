import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
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

const handOver = (): HandOver => new HandOver({ error: () => undefined });

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

  test('are with one worker at a time, or wait, whatever happens in whatever order; none is lost, and none waits while a worker is free', () => {
    const event = fc.record({ what: fc.constantFrom('accept', 'accept', 'taken', 'taken', 'leave', 'join', 'rest', 'lost'), who: fc.nat({ max: 3 }) });
    fc.assert(fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const { over, workers } = stage(4, 0);
      const here = new Set(workers);
      const resting = new Set<Worker>();
      const untaken = new Map<Worker, Socket>();
      const nobodys = new Set<Socket>();
      const taken: Socket[] = [];
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
        else if (what === 'taken' && untaken.has(worker)) {
          const socket = untaken.get(worker)!;
          untaken.delete(worker);
          nobodys.delete(socket);
          over.taken(worker, worker.last);
          taken.push(socket);
        }
        const free = [...here].filter((one) => !resting.has(one) && !untaken.has(one));
        expect(untaken.size).toBe(free.length > 0 ? nobodys.size : here.size - [...resting].filter((one) => !untaken.has(one)).length);
      }
      expect(taken.every(({ destroyed }) => destroyed)).toBe(true);
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
    open.push(() => (over.close(), client.destroy()));
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
    open.push(() => over.close());
    const port = await over.open('client', 0, '127.0.0.1');
    await expect(handOver().open('client', port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
