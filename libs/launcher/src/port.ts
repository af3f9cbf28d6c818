import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { errorCode } from './launcher-error.ts';

export const LAST_PORT = 65_535;

/** Below those that systems give to outgoing connections (Linux: from 32,768; others: from 49,152), which might take one between its choice and its use. */
const CHOSEN_FROM = { first: 15_000, last: 32_000 };
/** What was chosen in this process. Who was given a port may not listen on it yet. */
const chosen = new Set<number>();

/** A port nobody listens on at this moment, and another one each time. Another process may take it before it is used. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    const port = randomInt(CHOSEN_FROM.first, CHOSEN_FROM.last + 1);
    if (chosen.has(port) || !(await isFree(port, host))) continue;
    chosen.add(port);
    return port;
  }
  return listenOnce(0, host);
}

/** Whether this port can be listened on now. Errors other than a busy port, like an unknown host, reject. */
export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  try {
    await listenOnce(port, host);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EADDRINUSE' || code === 'EACCES') return false;
    throw error;
  }
}

/** The first free port from `port` upwards that is not in `taken`. */
export async function nextFreePort(port: number, host: string, taken: ReadonlySet<number>): Promise<number> {
  for (let candidate = port; candidate <= LAST_PORT; candidate += 1) {
    if (!taken.has(candidate) && (await isFree(candidate, host))) return candidate;
  }
  return freePort(host);
}

function listenOnce(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : port));
    });
  });
}
