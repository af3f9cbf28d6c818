import type { Server } from 'node:net';
import { BACKLOG } from './wide-port.ts';

/**
 * Resolves when servers have accepted all that waited for them in the kernel, and everything that had come by their older connections has been read. A server
 * that closes resets whoever is in its queue: after a moment in which its process stood still these are all that came meanwhile, and they have sent their requests.
 * To be followed by the close in the same turn.
 */
export async function acceptWaiting(servers: readonly Server[]): Promise<void> {
  const most = servers.length * BACKLOG;
  let accepted = 0;
  const count = (): void => void (accepted += 1);
  for (const server of servers) server.on('connection', count);
  await turn();
  // Between two of these the event loop looks once at all that is there; libuv accepts one connection of a server a look.
  for (let before = -1; before < accepted && accepted < most;) {
    before = accepted;
    await turn();
  }
  for (const server of servers) server.off('connection', count);
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
