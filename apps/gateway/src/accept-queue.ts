import type { Server } from 'node:net';

/** More than a port has waiting (Node asks the kernel for 511), so that this ends also where clients keep coming. */
const MOST = 1024;

/**
 * Resolves when a server has accepted all that waited for it in the kernel, and everything that had come by its older connections has been read. A server
 * that closes resets whoever is in its queue: after a moment in which its process stood still these are all that came meanwhile, and they have sent their requests.
 * To be followed by the close in the same turn.
 */
export async function acceptWaiting(server: Server): Promise<void> {
  let accepted = 0;
  const count = (): void => void (accepted += 1);
  server.on('connection', count);
  await turn();
  // Between two of these the event loop looks once at all that is there; libuv accepts one connection a look.
  for (let before = -1; before < accepted && accepted < MOST;) {
    before = accepted;
    await turn();
  }
  server.off('connection', count);
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
