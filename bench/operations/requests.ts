import { Agent, request } from 'node:http';

/**
 * What is asked, of about 1 KB each. `miss`: a prompt that nobody sent before. `semantic miss`: the prompt is known, the question is new, so the semantic cache is
 * asked. `exact hit`: the same again and again. `semantic hit`: a question that was asked, with other spaces. `stream`: as `miss`, its answer streamed.
 */
export const KINDS = ['miss', 'semantic miss', 'exact hit', 'semantic hit', 'stream'] as const;
export type Kind = (typeof KINDS)[number];

export const X_CACHE: Record<Kind, string> = { miss: 'MISS', 'semantic miss': 'MISS', 'exact hit': 'HIT-EXACT', 'semantic hit': 'HIT-SEMANTIC', stream: 'MISS' };

const RULES = 'You are the assistant of a company that sells bicycles and parts for them. Answer in at most three sentences. Never invent a price. '.repeat(5);
const KNOWN = 'Which of the many tyres in the shop would fit on the back wheel of a common city bicycle with wheels of 28 inches in all?';

/** The n-th request of its kind as JSON. */
export function bodyOf(kind: Kind, n: number): string {
  const isNew = kind === 'miss' || kind === 'stream';
  const asked = kind === 'exact hit' ? KNOWN : kind === 'semantic hit' ? respaced(KNOWN, n + 1) : `Which spare parts fit the bicycle with the frame number ${n}?`;
  const messages = [{ role: 'system', content: isNew ? `${RULES} Customer ${kind} ${n}.` : `${RULES} Of ${kind === 'semantic miss' ? 'frames' : 'tyres'}.` }, { role: 'user', content: asked }];
  return JSON.stringify({ model: 'gpt-4o-mini', messages, temperature: 0.2, ...(kind === 'stream' && { stream: true }) });
}

/** The same words, with a second space wherever `n` has a bit. */
function respaced(text: string, n: number): string {
  return text.split(' ').reduce((all, word, i) => `${all}${((n >> (i - 1)) & 1) === 1 ? '  ' : ' '}${word}`);
}

export interface Target {
  baseUrl: string;
  key: string;
}

/** Of answers, so many may be other than the kind says: on a busy machine a look-up comes too late now and then. */
const MOST_OTHERS = 0.05;

/** Asks `count` times, `clients` at once, from the `from`-th on. Throws when answers are not as they have to be. */
export async function ask({ baseUrl, key }: Target, kind: Kind, o: { count: number; from: number; clients: number }): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: o.clients });
  let next = 0;
  let others = 0;
  const client = async (): Promise<void> => {
    while (next < o.count) {
      const { status, cache } = await send(agent, `${baseUrl}/v1/chat/completions`, key, bodyOf(kind, o.from + next++));
      if (status !== 200) throw new Error(`a request (${kind}) was answered with status ${status}`);
      if (cache !== X_CACHE[kind] && ++others > Math.max(o.clients, o.count * MOST_OTHERS)) throw new Error(`requests (${kind}) were answered with x-cache ${cache}, not ${X_CACHE[kind]}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: o.clients }, client));
  } finally {
    agent.destroy();
  }
}

function send(agent: Agent, url: string, key: string, body: string): Promise<{ status: number; cache: string | null }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      const cache = response.headers['x-cache'];
      response.on('end', () => resolve({ status: response.statusCode ?? 0, cache: typeof cache === 'string' ? cache : null })).on('error', reject).resume();
    });
    sent.on('error', reject).end(body);
  });
}
