import { parseJsonBody, withMembers, type JsonBody } from '../validate/json-body.ts';

/** Members whose strings are names, ids or data, not what a person wrote. */
const NOT_TEXT = new Set([
  'role', 'type', 'id', 'model', 'object', 'tool_call_id', 'call_id', 'file_id', 'url', 'image_url', 'file_url', 'file_data', 'data', 'format', 'detail', 'encrypted_content', 'status', 'signature', 'thinking_blocks',
]);

/** Everything a person wrote into these members of a request, in order. */
export function promptTexts(body: JsonBody, members: readonly string[]): string[] {
  const texts: string[] = [];
  for (const name of members) visit(body.value[name], (text) => texts.push(text));
  return texts;
}

function visit(value: unknown, take: (text: string) => void): void {
  if (typeof value === 'string') take(value);
  else if (Array.isArray(value)) for (const item of value) visit(item, take);
  else if (typeof value === 'object' && value !== null) for (const [name, inner] of Object.entries(value)) if (!NOT_TEXT.has(name)) visit(inner, take);
}

/** The body with each text replaced by what `treat` makes of it; the very same body when nothing changes. */
export function withTexts(body: JsonBody, members: readonly string[], treat: (text: string) => string): JsonBody {
  const changes: Record<string, string> = {};
  for (const name of members) {
    const before = body.value[name];
    const after = treated(before, treat);
    if (after !== before) changes[name] = JSON.stringify(after);
  }
  return Object.keys(changes).length === 0 ? body : parseJsonBody(Buffer.from(withMembers(body, changes)));
}

/** The same object where nothing in it changed. */
function treated(value: unknown, treat: (text: string) => string): unknown {
  if (typeof value === 'string') return treat(value);
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => treated(item, treat));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, NOT_TEXT.has(name) ? (inner as unknown) : treated(inner, treat)] as const);
  return entries.some(([name, inner]) => inner !== (value as Record<string, unknown>)[name]) ? Object.fromEntries(entries) : value;
}
