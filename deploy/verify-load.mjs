// Clients under way while a cluster is restarted: `node deploy/verify-load.mjs <base url>`, with the official SDK, which retries nothing here. The key is read from /run/secrets.
// Half of them stream. Every answer is compared with what verify-provider.mjs has to say. SIGTERM: no new requests; what runs is waited for, and lines tell what came of all.
// Between SIGUSR1 and SIGUSR2 somebody kills a gateway: what was under way then may break, and is counted apart.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';

const LANES = 12;
const baseURL = process.argv[2];
const apiKey = readFileSync('/run/secrets/client_key', 'utf8').trim();
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 60_000 });
const told = { whole: 0, streamed: 0, hits: 0, failed: 0, broken: 0, unanswered: 0, longest: 0 };
/** By what was wrong: how often, and when first and last. */
const failures = new Map();
const ids = [];
const underWay = new Set();
let stopping = false;
let killing = false;

process.on('SIGTERM', () => { stopping = true; });
process.on('SIGUSR1', () => { killing = true; for (const request of underWay) request.mayBreak = true; });
process.on('SIGUSR2', () => { killing = false; });

await Promise.all(Array.from({ length: LANES }, (_, lane) => run(lane)));
for (const id of ids) console.log(`id ${id}`);
for (const [what, { count, first, last }] of failures) console.log(`failure ${count} × ${what}, ${first} … ${last}`);
console.log(Object.entries(told).map(([name, value]) => `${name}=${value}`).join(' '));

async function run(lane) {
  for (let n = 0; !stopping; n += 1) {
    const request = { mayBreak: killing, id: null, startedMs: Date.now() };
    underWay.add(request);
    try {
      await one(lane, n, request);
    } catch (error) {
      fail(request, error);
    }
    underWay.delete(request);
    // A request that was refused before its key was known is nobody's, and in no ledger.
    if (request.id === null) told.unanswered += 1;
    else ids.push(request.id);
    await delay(20);
  }
}

/** Lanes with even numbers stream, every sixth one slowly: longer than a gateway takes to drain. One request in five was asked before. */
async function one(lane, n, request) {
  const stream = lane % 2 === 0;
  const [count, pauseMs] = lane % 6 === 0 ? [200, 40] : stream ? [30, 10] : [10, 5];
  const word = n % 5 === 4 ? `again-${lane}` : randomBytes(6).toString('hex');
  const expected = `${Array.from({ length: count }, (_, i) => `${i + 1} `).join('')}${word}`;
  const question = { model: 'gpt-4o-mini', stream, messages: [{ role: 'user', content: `Count to ${count}, ${pauseMs} ms each: ${word}` }] };
  const { data, response } = await client.chat.completions.create(question).withResponse();
  request.id = response.headers.get('x-request-id');
  const text = stream ? await textOf(data) : data.choices[0].message.content;
  if (text !== expected) throw new Error(`"…${text.slice(-30)}" and not "…${expected.slice(-30)}", ${response.headers.get('x-cache')}`);
  if (response.headers.get('x-cache')?.startsWith('HIT')) told.hits += 1;
  told[stream ? 'streamed' : 'whole'] += 1;
  if (told.streamed + told.whole === 10 * LANES) console.log('under way');
  if (stream) told.longest = Math.max(told.longest, Date.now() - request.startedMs);
}

async function textOf(stream) {
  let text = '';
  let finish = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
  }
  if (finish !== 'stop') throw new Error(`a stream ended with ${finish}`);
  return text;
}

function fail(request, error) {
  if (request.mayBreak) told.broken += 1;
  else {
    told.failed += 1;
    const cause = error?.cause ? ` (${error.cause.code ?? error.cause.message})` : '';
    const what = `${String(error?.message).slice(0, 160)}${cause}`;
    const at = new Date().toISOString().slice(11, 23);
    const known = failures.get(what) ?? { count: 0, first: at };
    failures.set(what, { ...known, count: known.count + 1, last: at });
  }
}
