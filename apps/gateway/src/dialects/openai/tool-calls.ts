import { scanMembers, withMembers } from '../../validate/json-body.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const objectsOf = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const hasCalls = (choices: unknown): boolean => Array.isArray(choices) && choices.some((choice: unknown) => isObject(choice) && isObject(choice['delta']) && choice['delta']['tool_calls'] !== undefined);
const lacksType = (call: Json): boolean => call['type'] === undefined && isObject(call['function']);

/**
 * Mistral leaves out of its tool calls the `type`, and in streams the `index`, that OpenAI's clients rely on ("The chat
 * completion object"; "The chat completion chunk object"). A whole reply with every call's type; the same object and
 * bytes where none is missing. All but the choices stays byte for byte.
 */
export function withCallTypes<T extends object>(reply: T, bytes: Buffer): { completion: T; bytes: Buffer } {
  const calls = objectsOf((reply as Json)['choices']).flatMap(({ message }) => (isObject(message) ? objectsOf(message['tool_calls']) : [])).filter(lacksType);
  if (calls.length === 0) return { completion: reply, bytes };
  for (const call of calls) call['type'] = 'function';
  return { completion: reply, bytes: Buffer.from(withChoices(reply as Json, bytes.toString('utf8'))) };
}

/** The same for the chunks of one stream: which call a piece belongs to, and its type where it begins. */
export class StreamedCalls {
  /** By choice, the ids of its calls in their order; '' where none was told. */
  private readonly ids = new Map<unknown, (string | undefined)[]>();

  /** The chunk's text, completed where something is missing; then the chunk itself is, too. */
  complete(chunk: unknown, text: string): string {
    if (!isObject(chunk) || !hasCalls(chunk['choices'])) return text;
    let completed = false;
    for (const { index, delta } of objectsOf(chunk['choices'])) {
      const ids = this.ids.get(index) ?? [];
      this.ids.set(index, ids);
      for (const call of isObject(delta) ? objectsOf(delta['tool_calls']) : []) completed = completeCall(call, ids) || completed;
    }
    return completed ? withChoices(chunk, text) : text;
  }
}

function completeCall(call: Json, ids: (string | undefined)[]): boolean {
  const { id, function: called } = call;
  const told = typeof call['index'] === 'number';
  if (!told) call['index'] = indexOf(id, called, ids);
  const at = Number(call['index']);
  const begins = ids[at] === undefined;
  if (begins && at < MOST_CALLS) ids[at] = isText(id) ? id : '';
  if (!begins || !lacksType(call)) return !told;
  call['type'] = 'function';
  return true;
}

/** No answer has more calls; an absurd index must not make a list as long. */
const MOST_CALLS = 1024;

/** A piece with a new id or a name begins the next call; any other goes on with the last. */
function indexOf(id: unknown, called: unknown, ids: readonly (string | undefined)[]): number {
  const known = isText(id) ? ids.indexOf(id) : -1;
  if (known >= 0) return known;
  const begins = isText(id) || (isObject(called) && isText(called['name'])) || ids.length === 0;
  return begins ? ids.length : ids.length - 1;
}

const withChoices = (value: Json, text: string): string => withMembers({ text, value, members: scanMembers(text) }, { choices: JSON.stringify(value['choices']) });
