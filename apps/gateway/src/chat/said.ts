import type { ChatCompletion } from './completion.ts';

type Fields = Record<string, unknown>;

/** What a completion says, text by text: contents, refusals, reasoning, names and arguments of tool calls. */
export const saidInCompletion = ({ choices }: Pick<ChatCompletion, 'choices'>): string[] => choices.flatMap(({ message }) => saidInMessage(message));

function saidInMessage({ content, refusal, reasoning_content: thought, reasoning, audio, tool_calls: calls, function_call: call }: Fields): string[] {
  // Servers that have both names say the same under both.
  const reasoned = saidInContent(thought);
  return [
    ...saidInContent(content),
    ...strings(refusal),
    ...(reasoned.length > 0 ? reasoned : saidInContent(reasoning)),
    ...strings(fieldsOf(audio)['transcript']),
    ...listOf(calls).flatMap((each) => [...saidInCall(each['function']), ...saidInCall(each['custom'])]),
    ...saidInCall(call),
  ];
}

/** A text, or parts of a message; what a model thinks may be a part that has parts itself (Mistral's API reference, "ThinkChunk"). */
export function saidInContent(content: unknown): string[] {
  if (typeof content === 'string') return [content];
  return listOf(content).flatMap(({ text, refusal, thinking }) => [...strings(text), ...strings(refusal), ...(typeof thinking === 'string' ? [thinking] : listOf(thinking).flatMap((part) => strings(part['text'])))]);
}

/** A function has `arguments`, a custom tool `input` (OpenAI's API reference). */
export function saidInCall(call: unknown): string[] {
  const { name, arguments: given, input } = fieldsOf(call);
  return [...strings(name), ...strings(given), ...strings(input)];
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const fieldsOf = (value: unknown): Fields => (isObject(value) ? value : {});
const listOf = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isObject) : []);
const strings = (value: unknown): string[] => (typeof value === 'string' ? [value] : []);
