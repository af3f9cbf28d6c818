import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const PIECES = 30;
const PAUSE_MS = 1000;
const TEXT = 'A 28 inch wheel takes tyres of the size 622, which stands on the side of the old one. ';

const base = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_767_225_600, model: 'held' };
const event = (choices: object[], usage: object | null): string => `data: ${JSON.stringify({ ...base, choices, usage })}\n\n`;
const PIECE = Buffer.from(event([{ index: 0, delta: { role: 'assistant', content: TEXT }, finish_reason: null }], null));
const LAST = Buffer.from(`${event([{ index: 0, delta: {}, finish_reason: 'stop' }], null)}${event([], { prompt_tokens: 20, completion_tokens: 600, total_tokens: 620 })}data: [DONE]\n\n`);

/** A provider whose streams last half a minute: a sentence a second. */
export async function slowProvider(): Promise<{ port: number; close(): void }> {
  const server: Server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      void (async () => {
        for (let n = 0; n < PIECES && !response.destroyed; n++) {
          response.write(PIECE);
          await delay(PAUSE_MS);
        }
        response.end(LAST);
      })();
    });
  });
  server.keepAliveTimeout = 60_000;
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
