import { WatchedPath } from './watched-path.ts';

/** The first message of a connection has no type, all others have one byte of it before their length. */
const LENGTH_BYTES = 4;
/** Simple Query and Parse: the messages that hold SQL (postgresql.org/docs/current/protocol-message-formats.html). */
const WITH_SQL = new Set(['Q', 'P']);

/** A way to a Postgres that writes down every statement that passes. */
export class PostgresTap {
  /** In the order in which they were sent, over all connections. */
  readonly statements: string[] = [];
  #path!: WatchedPath;

  /** @param url `postgres://…` with a host and a port */
  static async to(url: string): Promise<PostgresTap> {
    const tap = new PostgresTap();
    tap.#path = await WatchedPath.to(url, () => ({ sent: tap.#reader(), passes: () => true, closed: () => undefined }));
    return tap;
  }

  get url(): string {
    return this.#path.url;
  }

  close(): Promise<void> {
    return this.#path.close();
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
