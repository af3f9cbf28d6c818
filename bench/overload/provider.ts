// A provider that takes as long for each answer, however many it is asked for at once: what is overloaded is never it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MODEL } from '../added-latency/work.ts';
import { PROVIDER_MS } from './work.ts';

const ANSWER = Buffer.from(JSON.stringify({
  id: 'chatcmpl-bench', object: 'chat.completion', created: 1_767_225_600, model: MODEL,
  choices: [{ index: 0, message: { role: 'assistant', content: 'A 28 inch wheel takes tyres of the size 622.', refusal: null }, logprobs: null, finish_reason: 'stop' }],
  usage: { prompt_tokens: 190, completion_tokens: 12, total_tokens: 202 },
}));

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    setTimeout(() => response.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length }).end(ANSWER), PROVIDER_MS);
  });
});
server.keepAliveTimeout = 60_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
