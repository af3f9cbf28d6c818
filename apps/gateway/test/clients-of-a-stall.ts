import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** In a thread of its own, because this one is to stand still. `flags`: go, sent, and one that nobody ever sets. */
const CLIENTS = `
const { connect } = require('node:net');
const { once } = require('node:events');
const { parentPort, workerData: { port, kept, fresh, request, quietMs, flags } } = require('node:worker_threads');

async function open() {
  const socket = connect(port, '127.0.0.1');
  const texts = [];
  socket.setEncoding('utf8').on('data', (text) => texts.push(text)).on('error', () => undefined);
  socket.on('close', () => parentPort.postMessage(texts.join('')));
  await once(socket, 'connect');
  return socket;
}
const many = (count, act) => Promise.all(Array.from({ length: count }, act));
const send = (socket) => new Promise((resolve) => socket.write(request, resolve));

(async () => {
  const old = await many(kept, async () => {
    const socket = await open();
    socket.write(request);
    await once(socket, 'data');
    return socket;
  });
  parentPort.postMessage('ready');
  Atomics.wait(flags, 0, 0);
  if (kept > 0) Atomics.wait(flags, 2, 0, quietMs);
  await Promise.all([...old.map(send), ...(await many(fresh, open)).map(send)]);
  Atomics.store(flags, 1, 1);
  Atomics.notify(flags, 1);
})();`;

export interface StallOptions {
  port: number;
  /** Connections by which a request was answered before; they are quiet for `quietMs` then. */
  kept: number;
  /** Connections that are made while the process stands still. */
  fresh: number;
  /** What each sends meanwhile, as bytes of HTTP. */
  request: string;
  quietMs: number;
}

const STALL_MS = 10_000;

/** Clients of a process that stands still, as one does that is paused or computes: what they do meanwhile is all in the kernel's hands. */
export class ClientsOfAStall {
  /** All that came by each connection, once it is closed. */
  readonly texts: string[] = [];
  private readonly thread: Worker;
  private readonly flags: Int32Array;

  private constructor(options: StallOptions) {
    this.flags = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
    this.thread = new Worker(CLIENTS, { eval: true, workerData: { ...options, flags: this.flags } });
    this.thread.on('message', (text: string) => void (text === 'ready' || this.texts.push(text)));
  }

  static async ready(options: StallOptions): Promise<ClientsOfAStall> {
    const clients = new ClientsOfAStall(options);
    await once(clients.thread, 'message');
    return clients;
  }

  /** This thread stands still until all have sent their requests. Throws where some are not even connected after STALL_MS: nobody had room for them to wait. */
  stall(): void {
    Atomics.store(this.flags, 0, 1);
    Atomics.notify(this.flags, 0);
    if (Atomics.wait(this.flags, 1, 0, STALL_MS) === 'timed-out') throw new Error('not every client could connect while the process stood still');
  }

  async untilClosed(count: number): Promise<void> {
    while (this.texts.length < count) await once(this.thread, 'message');
  }

  async end(): Promise<void> {
    await this.thread.terminate();
  }
}
