import type { ErrorBody } from '@deja/contracts';

/** What a server said about its refusal. */
export interface SaidError {
  error: ErrorBody['error'];
  /** Azure's `innererror.code`. */
  innerCode: string | null;
  /** OpenRouter's `metadata.reasons` of a moderation are there. */
  reasons: boolean;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A code is one word; xAI writes sentences there, vLLM and OpenRouter the status. */
const codeOf = (value: unknown): string => (/^[\w.-]+$/.test(textOf(value)) ? textOf(value) : '');

/**
 * Reads an error body of any of these shapes; null when there are no words in it.
 * - `{error: {message, type, param, code}}`: OpenAI, Azure (with `innererror`), OpenRouter (with `metadata`)
 * - `{error: 'text'}`: Ollama; with a `code` beside it: xAI
 * - `{detail: 'text'}`, `{detail: [{loc, msg}]}`: FastAPI, as in vLLM and Together AI
 * - `{message, type, param, code}`: Mistral, Cohere, vLLM; Mistral's `message` may be a `detail` in turn
 */
export function errorOf(body: string): SaidError | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return null; // a proxy's page, not the server's words
  }
  const reply: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  if (!isObject(reply)) return null;
  const said = isObject(reply['error']) ? reply['error'] : reply;
  const words = wordsOf(said['message'] ?? said['error'] ?? said['detail']);
  if (words === null) return null;
  const inner = said['innererror'] ?? said['inner_error'];
  const metadata = said['metadata'];
  return {
    error: { message: words.message, type: textOf(said['type']), param: typeof said['param'] === 'string' ? said['param'] : words.param, code: codeOf(said['code']) },
    innerCode: isObject(inner) ? textOf(inner['code']) : null,
    reasons: isObject(metadata) && Array.isArray(metadata['reasons']),
  };
}

const MOST_COMPLAINTS = 3;

interface Words {
  message: string;
  param: string | null;
}

function wordsOf(said: unknown): Words | null {
  if (typeof said === 'string') return said === '' ? null : { message: said, param: null };
  const complaints = (Array.isArray(said) ? said : isObject(said) && Array.isArray(said['detail']) ? said['detail'] : []).slice(0, MOST_COMPLAINTS).flatMap(complaintOf);
  const [first] = complaints;
  if (first === undefined) return null;
  return { message: complaints.map(({ message, param }) => (param === null ? message : `${param}: ${message}`)).join('; '), param: first.param };
}

/** One finding of pydantic: `{loc: ['body', 'messages', 0, 'role'], msg}`. */
function complaintOf(finding: unknown): Words[] {
  if (!isObject(finding) || typeof finding['msg'] !== 'string') return [];
  const loc: unknown[] = Array.isArray(finding['loc']) ? finding['loc'] : [];
  const path = loc.filter((part, i) => !(i === 0 && part === 'body') && (typeof part === 'string' || typeof part === 'number'));
  const param = path.reduce<string>((name, part) => (typeof part === 'number' ? `${name}[${part}]` : name === '' ? String(part) : `${name}.${String(part)}`), '');
  return [{ message: finding['msg'], param: param === '' ? null : param }];
}
