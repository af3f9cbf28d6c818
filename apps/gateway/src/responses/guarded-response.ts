import type { AnswerRules } from '../guard/answer-rules.ts';
import type { OutputItem, ResponseObject } from './response-object.ts';

type Part = Record<string, unknown>;

/** Members of an output item that hold parts in which the model speaks. */
const SPEAKING = ['content', 'summary'] as const;
/** Members that hold what the model hands to a tool: of a function call and of a custom tool's. */
const TOOL_INPUTS = ['arguments', 'input'] as const;

/** The response with the content rules applied to what it says, and to what it hands to tools; the very same one where they change nothing. Throws an AttemptFailure `blocked`. */
export function guardedResponse(response: ResponseObject, rules: AnswerRules): ResponseObject {
  const output = response.output.map((item) => guardedItem(item, rules));
  return output.some((item, i) => item !== response.output[i]) ? { ...response, output } : response;
}

function guardedItem(item: OutputItem, rules: AnswerRules): OutputItem {
  let changed = item;
  for (const member of TOOL_INPUTS) {
    const text = item[member];
    const treated = typeof text === 'string' ? rules.whole(text) : text;
    if (treated !== text) changed = { ...changed, [member]: treated };
  }
  for (const member of SPEAKING) {
    const parts = item[member];
    if (!Array.isArray(parts)) continue;
    const treated = (parts as Part[]).map((part) => guardedPart(part, rules));
    if (treated.some((part, i) => part !== parts[i])) changed = { ...changed, [member]: treated };
  }
  return changed;
}

function guardedPart(part: Part, rules: AnswerRules): Part {
  let changed = part;
  for (const field of ['text', 'refusal']) {
    const text = part[field];
    if (typeof text !== 'string') continue;
    const treated = rules.whole(text);
    // Log probabilities and annotations are about the text as it was.
    if (treated !== text) changed = { ...changed, [field]: treated, ...(Array.isArray(part['logprobs']) && { logprobs: [] }), ...(Array.isArray(part['annotations']) && { annotations: [] }) };
  }
  return changed;
}

/** What the response says in its messages. */
export function spokenInResponse({ output }: ResponseObject): string {
  return output.flatMap(({ content }) => (Array.isArray(content) ? (content as Part[]) : [])).flatMap((part) => part['text'] ?? part['refusal'] ?? []).filter((text) => typeof text === 'string').join('\n');
}
