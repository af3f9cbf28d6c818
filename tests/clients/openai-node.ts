// Calls everything that OpenAI's own Node SDK can call, and prints what came of it: node openai-node.ts <base URL> <key>.
import OpenAI from 'openai';
import { chatCalls, refusedCalls } from './openai-node-chat.ts';
import { responseCalls, textCalls } from './openai-node-texts.ts';
import { fileCalls, mediaCalls } from './openai-node-media.ts';
import { normalised, type Caller, type Outcome } from './normalise.ts';

const [baseURL, apiKey] = process.argv.slice(2);
if (baseURL === undefined || apiKey === undefined) throw new Error('usage: openai-node.ts <base URL> <key>');

const outcomes: Outcome[] = [];

const call: Caller = async (name, make, shown = (result) => result) => {
  try {
    const result = await make();
    outcomes.push({ name, result: normalised(JSON.parse(JSON.stringify(shown(result) ?? null))) });
    return result;
  } catch (error) {
    const status = error instanceof OpenAI.APIError && typeof error.status === 'number' ? error.status : null;
    outcomes.push({ name, error: { class: error instanceof Error ? error.constructor.name : typeof error, status } });
    return null;
  }
};

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
await chatCalls(client, call);
await refusedCalls(client, call);
await responseCalls(client, call);
await textCalls(client, call);
await mediaCalls(client, call);
await fileCalls(client, call);
console.log(JSON.stringify(outcomes));
