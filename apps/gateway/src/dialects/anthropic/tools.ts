import type { ChatBody } from '../../chat/chat-request.ts';
import type { ClaudeModel } from './claude-model.ts';
import { closedSchema } from './closed-schema.ts';
import { withCacheControl } from './content-blocks.ts';
import type { JsonPlan } from './json-output.ts';
import { fieldOf, isObject, textOf, type Block, type JsonObject } from './messages-api.ts';

type Choice = { type: 'auto' | 'any' | 'none' } | { type: 'tool'; name: string };

export interface ToolFields {
  tools?: Block[];
  tool_choice?: JsonObject;
}

/** Anthropic, "Strict tool use": so many strict tools a request. */
const MOST_STRICT_TOOLS = 20;

/** Whether the client speaks of `functions`, as before there were `tools`; it is answered in the same words. */
export const usesFunctions = (body: ChatBody): boolean => !body.tools?.length && Array.isArray(body['functions']) && body['functions'].length > 0;

/** Tools and tool choice in Anthropic's words ("Define tools"). The JSON tool joins the client's own. */
export function toolFields(body: ChatBody, model: ClaudeModel, json: JsonPlan): ToolFields {
  const asked = usesFunctions(body) ? functionChoice(body['function_call']) : toolChoice(body.tool_choice);
  const tools = allowed(offeredTools(body, model), body.tool_choice);
  const choice = json.way === 'tool' ? choiceWithJson(asked, tools, json.name) : asked;
  if (json.way === 'tool') tools.push(json.tool);
  if (tools.length === 0) return {};
  const single = body.parallel_tool_calls === false || usesFunctions(body);
  if (!choice && !single) return { tools };
  // `none` leaves nothing to be parallel, and Anthropic refuses the flag beside it.
  return { tools, tool_choice: { ...(choice ?? { type: 'auto' }), ...(single && choice?.type !== 'none' && { disable_parallel_tool_use: true }) } };
}

function offeredTools(body: ChatBody, model: ClaudeModel): Block[] {
  if (usesFunctions(body)) return (body['functions'] as unknown[]).flatMap((declared) => functionTool(declared, {}, false));
  const tools = body.tools ?? [];
  const strictTools = tools.filter((tool) => fieldOf(tool['function'], 'strict') === true).length;
  const strictAllowed = model.structuredOutput && strictTools <= MOST_STRICT_TOOLS;
  return tools.flatMap((tool) => {
    if (tool.type === 'function') return functionTool(tool['function'], tool, strictAllowed);
    return isObject(tool['custom']) ? [] : [{ ...tool }];
  });
}

function functionTool(declared: unknown, source: JsonObject, strictAllowed: boolean): Block[] {
  if (!isObject(declared)) return [];
  const description = textOf(declared, 'description');
  const parameters = isObject(declared['parameters']) ? declared['parameters'] : {};
  const closed = strictAllowed && declared['strict'] === true ? closedSchema(parameters) : null;
  const tool: Block = {
    type: 'custom',
    name: textOf(declared, 'name'),
    ...(description !== '' && { description }),
    input_schema: closed ?? { ...(parameters['properties'] === undefined && { properties: {} }), ...parameters, type: 'object' },
    ...(closed && { strict: true }),
  };
  return [withCacheControl(withCacheControl(tool, declared), source)];
}

function toolChoice(choice: unknown): Choice | undefined {
  const mode = fieldOf(choice, 'type') === 'allowed_tools' ? fieldOf(fieldOf(choice, 'allowed_tools') ?? choice, 'mode') : choice;
  if (mode === 'required' || mode === 'any') return { type: 'any' };
  if (mode === 'auto' || mode === 'none') return { type: mode };
  const name = textOf(fieldOf(choice, 'function'), 'name') || textOf(choice, 'name');
  return name === '' ? undefined : { type: 'tool', name };
}

function functionChoice(choice: unknown): Choice | undefined {
  const name = textOf(choice, 'name');
  if (name !== '') return { type: 'tool', name };
  return choice === 'auto' || choice === 'none' ? { type: choice } : undefined;
}

/** OpenAI's `allowed_tools` narrows the list for this request; Anthropic has no such choice, so the others are not offered. */
function allowed(tools: Block[], choice: unknown): Block[] {
  if (fieldOf(choice, 'type') !== 'allowed_tools') return tools;
  const list = fieldOf(fieldOf(choice, 'allowed_tools') ?? choice, 'tools');
  if (!Array.isArray(list)) return tools;
  const names = new Set(list.map((tool: unknown) => textOf(fieldOf(tool, 'function'), 'name') || textOf(tool, 'name')));
  return tools.filter((tool) => names.has(textOf(tool, 'name')));
}

/** Either one of the client's tools is called or the answer is given through the JSON tool; plain text is neither. */
function choiceWithJson(asked: Choice | undefined, tools: Block[], name: string): Choice {
  if (asked?.type === 'tool') return asked;
  return tools.length === 0 || asked?.type === 'none' ? { type: 'tool', name } : { type: 'any' };
}
