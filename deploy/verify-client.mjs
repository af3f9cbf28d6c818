// What a user does first, with the official SDK: `node deploy/verify-client.mjs <base url> [client key]`, else the key is read from /run/secrets. Ends with a failure at the first surprise.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';

const [baseURL, apiKey = readFileSync('/run/secrets/client_key', 'utf8').trim()] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
// Where every name goes to the provider, none is listed.
const model = (await client.models.list()).data[0]?.id ?? 'gpt-4o-mini';

const request = { model, messages: [{ role: 'user', content: `Which day follows Monday? (${Date.now()})` }] };
const ask = async (more) => {
  const { data, response } = await client.chat.completions.create({ ...request, ...more }).withResponse();
  return { data, cache: response.headers.get('x-cache') };
};
async function textOf(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
  return text;
}

const first = await ask({});
assert.equal(first.cache, 'MISS');
const text = first.data.choices[0].message.content;
assert.ok(text.length > 0 && first.data.usage.total_tokens > 0);

const second = await ask({});
assert.deepEqual([second.cache, second.data.choices[0].message.content], ['HIT-EXACT', text]);
const replayed = await ask({ stream: true });
assert.deepEqual([replayed.cache, await textOf(replayed.data)], ['HIT-EXACT', text]);

const streamed = await ask({ stream: true, messages: [{ role: 'user', content: `Which day follows Tuesday? (${Date.now()})` }] });
assert.equal(streamed.cache, 'MISS');
assert.ok((await textOf(streamed.data)).length > 0);

const stranger = new OpenAI({ baseURL, apiKey: 'sk-deja-nobody', maxRetries: 0 });
await assert.rejects(stranger.models.list(), { status: 401, code: 'invalid_api_key' });
console.log(`served by ${model}: whole, stream, exact hits of both, and a stranger was refused`);
