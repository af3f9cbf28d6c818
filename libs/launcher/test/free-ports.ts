import { freePort, isFree } from '../src/port.ts';

/** A port nobody listens on, and neither on the next one. */
export async function freePortPair(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (await isFree(port + 1)) return port;
  }
}
