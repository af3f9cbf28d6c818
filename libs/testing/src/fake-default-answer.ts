import { answer, status, toolCalls, type FormFile, type ProviderRequest, type Step, type ToolCall } from './fake-provider-steps.ts';
import { isRecord, lastText, shortPieces, wordOf } from './fake-provider-wire.ts';

type Json = Record<string, unknown>;

const refusal = (code: number, message: string, param: string | null, errorCode: string | null): Step =>
  status(code, {}, { error: { message, type: 'invalid_request_error', param, code: errorCode } });

/** What the fake provider refuses by itself, so that clients which script nothing can see errors: credential `sk-invalid`, and any model named `no-such-model`. */
export function refusedByDefault(request: ProviderRequest): Step | null {
  if (request.credential === 'sk-invalid') return refusal(401, 'Incorrect API key provided: sk-invalid.', null, 'invalid_api_key');
  const named = isRecord(request.body) ? request.body['model'] : undefined;
  if (named === 'no-such-model' || /\/no-such-model\b/.test(request.path)) {
    return refusal(404, "The model 'no-such-model' does not exist or you do not have access to it.", 'model', 'model_not_found');
  }
  if (/\/chat\/completions(\?|$)/.test(request.path) && isRecord(request.body) && !Array.isArray(request.body['messages'])) {
    return refusal(400, "Invalid type for 'messages': expected an array of objects.", 'messages', 'invalid_type');
  }
  return null;
}

/**
 * What is answered when nothing is scripted. By default the last text of the user is repeated. Instead:
 * tools are called if the request demands it, or names them in that text, with arguments made from their schema;
 * results of tools are repeated; a wanted JSON Schema gets the smallest JSON that fits it; and a recording is said to have been heard.
 */
export function defaultAnswer(request: ProviderRequest): Step {
  const refused = refusedByDefault(request);
  if (refused !== null) return refused;
  const file = request.form?.['file'];
  if (file !== undefined && typeof file !== 'string') return answer(`Heard ${[file].flat().map(described).join(', ')}.`);
  const body = isRecord(request.body) ? request.body : {};
  const text = lastText(body);
  if (endsWithToolResults(body)) return answer(`The tools said: ${text}`);
  const calls = calledTools(body, text);
  if (calls.length > 0) return toolCalls(calls);
  const schema = wantedSchema(body);
  if (schema !== null) return { deltas: shortPieces(JSON.stringify(example(schema, schema))) };
  return answer(stopped(`You said: ${text}`, body['stop']));
}

const described = (file: string | FormFile): string => (typeof file === 'string' ? file : `${file.size} bytes of ${file.filename}`);

/** The text up to the first stop sequence, which is not part of an answer. */
function stopped(text: string, stop: unknown): string {
  const ends = [stop].flat().flatMap((s) => (typeof s === 'string' && s !== '' && text.includes(s) ? [text.indexOf(s)] : []));
  return text.slice(0, Math.min(text.length, ...ends));
}

function endsWithToolResults(body: Json): boolean {
  const messages = body['messages'] ?? body['input'] ?? body['contents'];
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
  if (!isRecord(last)) return false;
  if (last['role'] === 'tool' || last['type'] === 'function_call_output') return true;
  const parts = last['content'] ?? last['parts'];
  return Array.isArray(parts) && parts.some((part) => isRecord(part) && (part['type'] === 'tool_result' || 'functionResponse' in part));
}

interface Tool {
  name: string;
  parameters: unknown;
}

/** The declared tools of any dialect: OpenAI's two, Anthropic's, Gemini's. */
function declaredTools(body: Json): Tool[] {
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isRecord) : [];
  return tools
    .flatMap((tool) => (Array.isArray(tool['functionDeclarations']) ? tool['functionDeclarations'].filter(isRecord) : [isRecord(tool['function']) ? tool['function'] : tool]))
    .flatMap((tool) => (typeof tool['name'] === 'string' ? [{ name: tool['name'], parameters: tool['parameters'] ?? tool['parametersJsonSchema'] ?? tool['input_schema'] }] : []));
}

function calledTools(body: Json, text: string): ToolCall[] {
  const tools = declaredTools(body);
  const choice = JSON.stringify(body['tool_choice'] ?? body['toolConfig'] ?? 'auto');
  if (/"none"|"NONE"/.test(choice)) return [];
  const demanded = /"required"|"any"|"ANY"|"function"|"tool"/.test(choice);
  const named = tools.filter((tool) => text.includes(tool.name) || choice.includes(`"${tool.name}"`));
  const called = named.length === 0 && demanded ? tools.slice(0, 1) : named;
  return called.map((tool) => ({ name: tool.name, arguments: JSON.stringify(example(tool.parameters, tool.parameters)) }));
}

function wantedSchema(body: Json): unknown {
  const at = (...path: string[]): unknown => path.reduce<unknown>((value, name) => (isRecord(value) ? value[name] : undefined), body);
  const schema = at('response_format', 'json_schema', 'schema') ?? at('text', 'format', 'schema') ?? at('output_config', 'format', 'schema');
  const gemini = at('generationConfig', 'responseSchema') ?? at('generationConfig', 'responseJsonSchema');
  if (schema !== undefined || gemini !== undefined) return schema ?? gemini;
  const plainJson = [at('response_format', 'type'), at('text', 'format', 'type')].includes('json_object') || at('generationConfig', 'responseMimeType') === 'application/json';
  return plainJson ? { type: 'object' } : null;
}

const DEEPEST = 10;
const MOST_ITEMS = 10;

/** The smallest value that fits a JSON Schema, as far as models' schemas go. Recursion ends where a property is not required or a list may be empty, and at the latest at `DEEPEST`. */
function example(schema: unknown, root: unknown, depth = 0): unknown {
  if (!isRecord(schema)) return {};
  if (depth > DEEPEST) return null;
  if (typeof schema['$ref'] === 'string') {
    const path = schema['$ref'].split('/').slice(1);
    return example(path.reduce<unknown>((value, name) => (isRecord(value) ? value[name] : undefined), root), root, depth + 1);
  }
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  const either = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(either)) return example(either[0], root, depth + 1);
  switch (wordOf([schema['type']].flat()[0], 'object').toLowerCase()) {
    case 'string': return 'text';
    case 'integer':
    case 'number': return schema['minimum'] ?? 1;
    case 'boolean': return true;
    case 'null': return null;
    case 'array': return Array.from({ length: Math.min(Number(schema['minItems'] ?? 0), MOST_ITEMS) }, () => example(schema['items'], root, depth + 1));
    default: {
      const properties = isRecord(schema['properties']) ? schema['properties'] : {};
      const required = Array.isArray(schema['required']) ? schema['required'].map(String) : Object.keys(properties);
      return Object.fromEntries(required.map((name) => [name, example(properties[name], root, depth + 1)]));
    }
  }
}
