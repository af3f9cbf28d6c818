import type { AnswerRules } from '../guard/answer-rules.ts';
import type { OutputItem, ResponseObject } from './response-object.ts';

type Part = Record<string, unknown>;

/** The response with the content rules applied to every text that it puts out; the very same one where they change nothing. Throws an AttemptFailure `blocked`. */
export function guardedResponse(response: ResponseObject, rules: AnswerRules): ResponseObject {
  const output = response.output.map((item) => guardedItem(item, rules));
  // Some servers repeat here what the messages say.
  const text = rules.all(response['output_text']);
  if (text === response['output_text'] && output.every((item, i) => item === response.output[i])) return response;
  return { ...response, output, ...('output_text' in response && { output_text: text }) };
}

function guardedItem(item: OutputItem, rules: AnswerRules): OutputItem {
  const treated = rules.all(item);
  const { content } = treated;
  if (!Array.isArray(content)) return treated;
  const said = item['content'] as unknown[];
  const parts = content.map((part: unknown, i) => (isPart(part) ? guardedPart(part, said[i] as Part, rules) : part));
  return parts.some((part, i) => part !== content[i]) ? { ...treated, content: parts } : treated;
}

function guardedPart(treated: Part, said: Part, rules: AnswerRules): Part {
  const part = rules.withoutTokens(treated);
  const withLists = part === treated ? part : { ...part, logprobs: [] };
  // Annotations are about places in the text as it was.
  const moved = part['text'] !== said['text'] && Array.isArray(part['annotations']) && part['annotations'].length > 0;
  return moved ? { ...withLists, annotations: [] } : withLists;
}

const isPart = (part: unknown): part is Part => typeof part === 'object' && part !== null && !Array.isArray(part);

/** What the response says in its messages. */
export function spokenInResponse({ output }: ResponseObject): string {
  return output.flatMap(({ content }) => (Array.isArray(content) ? (content as Part[]) : [])).flatMap((part) => part['text'] ?? part['refusal'] ?? []).filter((text) => typeof text === 'string').join('\n');
}
