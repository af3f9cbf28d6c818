import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';

/** So many connections wait in the kernel for each handle; fewer where the machine says so (net.core.somaxconn, 4096 unless set). Node would ask for 511. */
export const BACKLOG = 4096;

/** Handles of one port. libuv accepts one connection of a handle in a turn of the event loop, however many wait: decision 0053. */
const HANDLES = 32;

/** Linux spreads new connections over all handles of a port. Elsewhere Node has no such handles, or the newest one would get everything. */
const HAS_MANY = process.platform === 'linux';

/** A port that is listened at, and where. */
export interface ListenAt {
  host: string;
  port: number;
  backlog: number;
  reusePort: boolean;
}

export interface WidePort {
  host: string;
  port: number;
  /** Has the server of the first handle listen, and resolves with that server. */
  listen: (at: ListenAt) => Promise<Server>;
  /** Makes the server of a further handle. */
  another: () => Server;
}

/**
 * Listens at one port with many handles. Resolves with the servers of all but the first. Rejects where the port is in use: the kernel itself would let a second
 * process of the same user in, so one handle that shares with nobody asks first.
 */
export async function listenWide({ host, port, listen, another }: WidePort): Promise<Server[]> {
  if (!HAS_MANY) {
    await listen({ host, port, backlog: BACKLOG, reusePort: false });
    return [];
  }
  const first = await listen({ host, port: await unused(host, port), backlog: BACKLOG, reusePort: true });
  const { address, port: bound } = first.address() as AddressInfo;
  return Promise.all(Array.from({ length: HANDLES - 1 }, async () => {
    const server = another();
    server.on('error', (error) => first.emit('error', error));
    server.listen({ host: address, port: bound, backlog: BACKLOG, reusePort: true });
    await once(server, 'listening');
    return server;
  }));
}

/** A port at which nobody listens: this one, or for 0 any. Rejects with EADDRINUSE. */
async function unused(host: string, port: number): Promise<number> {
  const server = createServer();
  server.listen({ host, port });
  await once(server, 'listening');
  const { port: found } = server.address() as AddressInfo;
  server.close();
  return found;
}
