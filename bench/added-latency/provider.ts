// A provider that answers at once, so that what is measured is what stands before it. Answers are rendered before the first request.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { MODEL, PAUSES_MS } from './work.ts';

const PIECES = 16;
const TEXT = 'A 28 inch wheel takes tyres of the size 622, which stands on the side of the old one. ';
const USAGE = { prompt_tokens: 190, completion_tokens: 160, total_tokens: 350 };

const base = { id: 'chatcmpl-bench', created: 1_767_225_600, model: MODEL };
const whole = Buffer.from(
  JSON.stringify({
    ...base,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: TEXT.repeat(8), refusal: null }, logprobs: null, finish_reason: 'stop' }],
    usage: USAGE,
  }),
);
const event = (choices: object[], usage: object | null): string => `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices, usage })}\n\n`;
const content = (text: string): string => event([{ index: 0, delta: { content: text }, finish_reason: null }], null);
// As OpenAI does: the role alone comes with the first text, the usage in an event of its own.
const first = event([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }], null) + content(TEXT);
const last = `${event([{ index: 0, delta: {}, finish_reason: 'stop' }], null)}${event([], USAGE)}data: [DONE]\n\n`;
const pieces = [first, ...Array.from({ length: PIECES - 1 }, () => content(TEXT)), last].map((text) => Buffer.from(text));

const pauses = Object.entries(PAUSES_MS);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    if (!body.includes('"stream":true')) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length }).end(whole);
      return;
    }
    void stream(response, pauses.find(([model]) => body.includes(model))?.[1] ?? 0);
  });
});

async function stream(response: ServerResponse, pauseMs: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  for (const piece of pieces) {
    response.write(piece);
    if (pauseMs > 0) await delay(pauseMs);
  }
  response.end();
}

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
