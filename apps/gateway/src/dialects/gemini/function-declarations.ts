import type { ChatBody } from '../../chat/chat-request.ts';
import { isObject, objectsOf, textOf } from './generate-content.ts';
import { geminiSchema, saysNothing } from './schema.ts';

interface FunctionDeclaration {
  name: string;
  description?: string;
  parametersJsonSchema?: unknown;
}

export interface FunctionTools {
  tools?: { functionDeclarations: FunctionDeclaration[] }[];
  toolConfig?: { functionCallingConfig: { mode: 'AUTO' | 'ANY' | 'NONE'; allowedFunctionNames?: string[] } };
}

/**
 * `tools` and `tool_choice` in Gemini's words ("Function calling", section "Function calling modes"). A choice among some
 * tools only (`allowed_tools`) declares no others.
 * @param leftOut gets the place of every tool that is no function
 */
export function functionTools(body: ChatBody, leftOut: string[]): FunctionTools {
  const choice = choiceOf(body.tool_choice);
  const declarations = (body.tools ?? []).flatMap((tool, index) => {
    const declaration = declarationOf(tool);
    if (declaration === null) leftOut.push(`tools[${index}]`);
    return declaration === null ? [] : [declaration];
  });
  const known = choice?.among ? declarations.filter(({ name }) => choice.among?.includes(name)) : declarations;
  if (known.length === 0) return {};
  return {
    tools: [{ functionDeclarations: known }],
    ...(choice && { toolConfig: { functionCallingConfig: { mode: choice.mode, ...(choice.named && { allowedFunctionNames: [choice.named] }) } } }),
  };
}

function declarationOf(tool: Record<string, unknown>): FunctionDeclaration | null {
  const described = tool['type'] === 'function' && isObject(tool['function']) ? tool['function'] : {};
  const name = textOf(described['name']);
  const description = textOf(described['description']);
  if (name === null) return null;
  return {
    name,
    ...(description !== null && { description }),
    ...(!saysNothing(described['parameters']) && { parametersJsonSchema: geminiSchema(described['parameters']) }),
  };
}

interface Choice {
  mode: 'AUTO' | 'ANY' | 'NONE';
  /** The only function that may be called. */
  named?: string;
  /** The functions that may be called. */
  among?: string[];
}

function choiceOf(choice: ChatBody['tool_choice']): Choice | null {
  if (choice === 'none') return { mode: 'NONE' };
  if (choice === 'auto') return { mode: 'AUTO' };
  if (choice === 'required') return { mode: 'ANY' };
  if (!isObject(choice)) return null;
  const allowed = choice['allowed_tools'];
  if (choice['type'] === 'allowed_tools' && isObject(allowed)) {
    const among = objectsOf(allowed['tools']).flatMap((tool) => functionName(tool) ?? []);
    return { mode: allowed['mode'] === 'required' ? 'ANY' : 'AUTO', among };
  }
  const named = functionName(choice);
  return named === null ? null : { mode: 'ANY', named };
}

const functionName = (choice: Record<string, unknown>): string | null => (isObject(choice['function']) ? textOf(choice['function']['name']) : null);
