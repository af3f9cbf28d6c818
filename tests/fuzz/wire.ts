import { connect, type Socket } from 'node:net';
import { firstReply, type WireReply } from '../wire/replies.ts';
import type { WireRequest } from './requests.ts';

/** What came of a request: an answer, a closed connection without one, or nothing in time. */
export type Outcome = { reply: WireReply } | { closed: true; bytes: Buffer } | { silent: true; bytes: Buffer };

/** Deadline for what hangs. */
const SILENT_MS = 15_000;

/** The request's bytes. */
export function wireBytes({ method, target, version, headers, body, framing, prefix, host }: WireRequest): Buffer {
  const length = body.length;
  const chunked: [string, string] = ['transfer-encoding', 'chunked'];
  const lengths: Record<WireRequest['framing'], [string, string][]> = {
    length: length === 0 && method === 'GET' ? [] : [['content-length', String(length)]],
    chunked: [chunked],
    short: [['content-length', String(length + 10)]],
    long: [['content-length', String(Math.max(0, length - 5))]],
    both: [['content-length', String(length)], chunked],
    twice: [['content-length', String(length)], ['content-length', String(length + 1)]],
    'bad-chunk': [chunked],
    'odd-encoding': [['transfer-encoding', 'gzip, chunked']],
    negative: [['content-length', '-5']],
    none: [],
  };
  const isChunked = lengths[framing].some(([name]) => name === 'transfer-encoding');
  const lines = [`${method} ${target}${version === '' ? '' : ` ${version}`}`, ...(host === null ? [] : [`host: ${host}`]), ...[...headers, ...lengths[framing]].map(([name, value]) => `${name}: ${value}`)];
  const head = Buffer.from(`${prefix}${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return Buffer.concat([head, isChunked ? chunks(body, framing === 'bad-chunk') : body]);
}

function chunks(body: Buffer, broken: boolean): Buffer {
  const half = body.length >> 1;
  const pieces = [body.subarray(0, half), body.subarray(half)].filter((piece) => piece.length > 0);
  const out = pieces.flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  return Buffer.concat([...out, Buffer.from(broken ? 'zz\r\n\r\n' : '0\r\n\r\n')]);
}

/** One connection to a server, over which requests go one after the other. */
export class Wire {
  private socket: Socket | null = null;
  private readonly port: number;

  constructor(url: string) {
    this.port = Number(new URL(url).port);
  }

  /** Sends on the connection that is open, or on a new one. `end`: nothing more will come from this side. */
  async send(request: WireRequest, o: { fresh: boolean; end: boolean }): Promise<Outcome> {
    if (o.fresh) this.close();
    const socket = this.socket ?? (await this.open());
    const bytes = wireBytes(request);
    const outcome = await exchange(socket, bytes, o.end, request.method === 'HEAD');
    const reusable = 'reply' in outcome && !o.end && outcome.reply.headers['connection'] !== 'close' && !socket.destroyed && !socket.readableEnded;
    if (!reusable) this.close();
    return outcome;
  }

  close(): void {
    this.socket?.destroy();
    this.socket = null;
  }

  private open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }, () => resolve(socket));
      socket.once('error', reject);
      this.socket = socket;
    });
  }
}

function exchange(socket: Socket, bytes: Buffer, end: boolean, isHead: boolean): Promise<Outcome> {
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0);
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      resolve(outcome);
    };
    const timer = setTimeout(() => finish({ silent: true, bytes: received }), SILENT_MS);
    const look = (closed: boolean): void => {
      const found = firstReply(received, closed, isHead);
      if (found !== null) finish({ reply: found.reply });
      else if (closed) finish({ closed: true, bytes: received });
    };
    socket.removeAllListeners();
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      look(false);
    });
    socket.on('end', () => look(true));
    socket.on('close', () => look(true));
    socket.on('error', () => look(true));
    if (end) socket.end(bytes);
    else socket.write(bytes);
  });
}
