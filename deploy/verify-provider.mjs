// A provider to try a cluster against, in OpenAI's words: `node deploy/verify-provider.mjs <port>`.
// Asked to "Count to 40, 25 ms each: <word>", it answers "1 2 … 40 <word>" at that pace, so that whoever asked knows what a complete answer is.
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const model = 'gpt-4o-mini';
const port = Number(process.argv[2] ?? 8080);

createServer((request, response) => void answer(request, response).catch(() => response.destroy())).listen(port, '0.0.0.0', () => console.log(`listening on ${port}`));

async function answer(request, response) {
  const json = (value) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (request.method === 'GET') return json({ object: 'list', data: [{ id: model, object: 'model', created: 0, owned_by: 'verify' }] });
  let text = '';
  for await (const piece of request) text += piece;
  const body = JSON.parse(text);
  const { words, pauseMs } = answerTo(String(body.messages.at(-1).content));
  const head = { id: `chatcmpl-${Date.now()}`, created: Math.floor(Date.now() / 1000), model: body.model };
  const usage = { prompt_tokens: 10, completion_tokens: words.length, total_tokens: 10 + words.length };
  if (!body.stream) {
    await delay(words.length * pauseMs);
    return json({ ...head, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: words.join(''), refusal: null }, logprobs: null, finish_reason: 'stop' }], usage });
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (fields) => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`);
  for (const word of words) {
    await delay(pauseMs);
    if (response.destroyed) return;
    send({ choices: [{ index: 0, delta: { content: word }, finish_reason: null }] });
  }
  send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  send({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}

function answerTo(question) {
  const [, count, pauseMs, word] = /Count to (\d+), (\d+) ms each: (\S+)/.exec(question) ?? [null, 3, 5, 'nothing'];
  return { words: [...Array.from({ length: Number(count) }, (_, i) => `${i + 1} `), String(word)], pauseMs: Number(pauseMs) };
}
