import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The first message of a connection has no type, all others have one byte of it before their length. */
const LENGTH_BYTES = 4;
/** Simple Query and Parse: the messages that hold SQL (postgresql.org/docs/current/protocol-message-formats.html). */
const WITH_SQL = new Set(['Q', 'P']);

/** A way to a Postgres that writes down every statement that passes. */
export class PostgresTap {
  /** In the order in which they were sent, over all connections. */
  readonly statements: string[] = [];
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => this.#pass(client));
  }

  /** @param url `postgres://…` with a host and a port */
  static async to(url: string): Promise<PostgresTap> {
    const tap = new PostgresTap(new URL(url));
    tap.#server.listen(0, '127.0.0.1');
    await once(tap.#server, 'listening');
    return tap;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname);
    const read = this.#reader();
    client.on('data', (data) => {
      read(data);
      server.write(data);
    });
    server.on('data', (data) => client.write(data));
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  /** Of one connection, which is not encrypted. */
  #reader(): (data: Buffer) => void {
    let rest = Buffer.alloc(0);
    let typeBytes = 0;
    return (data) => {
      rest = Buffer.concat([rest, data]);
      while (rest.length >= typeBytes + LENGTH_BYTES) {
        const end = typeBytes + rest.readInt32BE(typeBytes);
        if (rest.length < end) return;
        if (typeBytes === 1 && WITH_SQL.has(rest.toString('latin1', 0, 1))) this.statements.push(rest.toString('utf8', 1 + LENGTH_BYTES, end));
        rest = rest.subarray(end);
        typeBytes = 1;
      }
    };
  }
}
