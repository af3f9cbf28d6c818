type Check = (value: unknown) => boolean;

const isBoolean: Check = (value) => typeof value === 'boolean';
const isText: Check = (value) => typeof value === 'string';
const isName: Check = (value) => typeof value === 'string' && value.length >= 1 && value.length <= 256;
const isCount = (most: number): Check => (value) => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
const isBetween = (least: number, most: number): Check => (value) => typeof value === 'number' && value >= least && value <= most;

/** Members that most requests have, and what of each is right beyond doubt. */
const PLAIN = new Map<string, Check>([
  ['model', isName],
  ['messages', (value) => Array.isArray(value) && value.length > 0 && value.every(isPlainMessage)],
  ['stream', isBoolean],
  ['temperature', isBetween(0, 2)],
  ['top_p', isBetween(0, 1)],
  ['n', isCount(128)],
  ['max_tokens', isCount(Number.MAX_SAFE_INTEGER)],
  ['max_completion_tokens', isCount(Number.MAX_SAFE_INTEGER)],
  ['presence_penalty', isBetween(-2, 2)],
  ['frequency_penalty', isBetween(-2, 2)],
  ['stop', isText],
  ['user', isText],
  ['safety_identifier', isText],
  ['store', isBoolean],
  ['logprobs', isBoolean],
  ['parallel_tool_calls', isBoolean],
]);

const ROLES = new Set<unknown>(['system', 'developer', 'user', 'assistant', 'tool', 'function']);

/** Of text alone. */
function isPlainMessage(message: unknown): boolean {
  if (typeof message !== 'object' || message === null) return false;
  const { role, content } = message as Record<string, unknown>;
  if (!ROLES.has(role) || typeof content !== 'string') return false;
  for (const name of Object.keys(message)) if (name !== 'role' && name !== 'content') return false;
  return true;
}

/**
 * Whether a body is a chat request that the schema beside this would take as it stands. Most are; telling so takes a tenth of what the schema
 * takes. Pure. False says nothing: the schema is then to say what is wrong, if anything is.
 */
export function isPlainChat(body: Readonly<Record<string, unknown>>): boolean {
  if (body['model'] === undefined || body['messages'] === undefined) return false;
  for (const name of Object.keys(body)) if (PLAIN.get(name)?.(body[name]) !== true) return false;
  return true;
}
