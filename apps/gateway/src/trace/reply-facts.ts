/** What a reply says of itself besides its answer. */
export interface ReplyFacts {
  id: string | null;
  model: string | null;
  finishReasons: string[];
}

/** Longer replies (vectors, pictures) are not read a second time. */
const MOST_BYTES = 256 * 1024;
const MOST_CHARS = 256;

type Fields = Readonly<Record<string, unknown>>;

/** Of a whole reply in OpenAI's forms: chat completions, completions, responses, embeddings, moderations; null for what is none of them. */
export function replyFacts(body: Buffer): ReplyFacts | null {
  if (body.length > MOST_BYTES) return null;
  const reply = parsed(body);
  if (reply === null) return null;
  return { id: short(reply['id']), model: short(reply['model']), finishReasons: Array.isArray(reply['choices']) ? choiceEnds(reply['choices']) : responseEnd(reply) };
}

/** As chat completions and completions say it: of each choice. */
const choiceEnds = (choices: unknown[]): string[] => choices.flatMap((choice) => short(fieldsOf(choice)?.['finish_reason']) ?? []);

/** How a response ended, in the words of chat completions (OpenAI API reference, "The response object"); empty while it runs. */
export function responseEnd({ status, output, incomplete_details: incomplete }: Fields): string[] {
  if (status === 'failed') return ['error'];
  if (status === 'incomplete') return [fieldsOf(incomplete)?.['reason'] === 'content_filter' ? 'content_filter' : 'length'];
  if (status !== 'completed') return [];
  return [Array.isArray(output) && output.some((item) => fieldsOf(item)?.['type'] === 'function_call') ? 'tool_calls' : 'stop'];
}

export const fieldsOf = (value: unknown): Fields | null => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null);

function parsed(body: Buffer): Fields | null {
  try {
    return fieldsOf(JSON.parse(body.toString('utf8')));
  } catch {
    return null;
  }
}

const short = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value.slice(0, MOST_CHARS) : null);
