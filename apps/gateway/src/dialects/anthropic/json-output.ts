import type { ChatBody } from '../../chat/chat-request.ts';
import type { ClaudeModel } from './claude-model.ts';
import { closedSchema } from './closed-schema.ts';
import { fieldOf, isObject, textOf, type Block, type JsonObject } from './messages-api.ts';

/**
 * How the answer is made JSON.
 * - `format`: decoding is constrained to the schema
 * - `tool`: the model must call a tool whose input is the answer
 * - `instruction`: the model is told so; nothing enforces it
 */
export type JsonPlan = { way: 'none' } | { way: 'format'; schema: JsonObject } | { way: 'tool'; name: string; tool: Block } | { way: 'instruction'; text: string };

const ONLY_JSON = 'Answer with one JSON object and nothing else: no code fence, no words before or after it.';

/** What `response_format` means for this model. Source: Anthropic, "Structured outputs" and "Define tools" (forcing tool use). */
export function jsonPlan(body: ChatBody, model: ClaudeModel): JsonPlan {
  const asked = body.response_format;
  if (asked?.type === 'json_object') return { way: 'instruction', text: ONLY_JSON };
  if (asked?.type !== 'json_schema') return { way: 'none' };
  const schema = fieldOf(asked['json_schema'], 'schema');
  if (!isObject(schema)) return { way: 'instruction', text: ONLY_JSON };
  const closed = model.structuredOutput ? closedSchema(schema) : null;
  if (closed) return { way: 'format', schema: closed };
  if (!model.forcedTools || schema['type'] !== 'object') return { way: 'instruction', text: `${ONLY_JSON} It must match this JSON Schema: ${JSON.stringify(schema)}` };
  const name = freeName(body);
  const description = textOf(asked['json_schema'], 'description');
  return { way: 'tool', name, tool: { type: 'custom', name, description: `Gives the answer as JSON. ${description}`.trim(), input_schema: schema } };
}

/** A name that none of the client's own tools has. */
function freeName(body: ChatBody): string {
  const functions: unknown[] = Array.isArray(body['functions']) ? body['functions'] : [];
  const taken = new Set([...(body.tools ?? []).map((tool) => textOf(tool['function'], 'name') || textOf(tool, 'name')), ...functions.map((tool) => textOf(tool, 'name'))]);
  let name = 'json';
  while (taken.has(name)) name += '_';
  return name;
}
