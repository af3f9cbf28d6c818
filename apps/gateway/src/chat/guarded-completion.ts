import type { AnswerRules } from '../guard/answer-rules.ts';
import type { ChatCompletion } from './completion.ts';

/** Fields of a message in which an answer speaks. */
export const SPOKEN = ['content', 'refusal', 'reasoning_content'] as const;
/** Where a tool call has what the model hands to the tool. */
export const TOOL_INPUTS = [['function', 'arguments'], ['custom', 'input']] as const;

type Fields = Record<string, unknown>;

/** The completion with the content rules applied to what it says, and to what it hands to tools; the very same one where they change nothing. Throws an AttemptFailure `blocked`. */
export function guardedCompletion(completion: ChatCompletion, rules: AnswerRules): ChatCompletion {
  const choices = completion.choices.map((choice) => {
    const message = guardedMessage(choice.message, rules);
    return message === choice.message ? choice : { ...choice, message };
  });
  return choices.some((choice, i) => choice !== completion.choices[i]) ? { ...completion, choices } : completion;
}

function guardedMessage(message: Fields, rules: AnswerRules): Fields {
  const spoken = SPOKEN.reduce((treated, field) => withText(treated, field, rules), message);
  const calls = message['tool_calls'];
  if (!Array.isArray(calls)) return spoken;
  const treated = calls.map((call: unknown) => guardedCall(call, rules));
  return treated.some((call, i) => call !== calls[i]) ? { ...spoken, tool_calls: treated } : spoken;
}

function guardedCall(call: unknown, rules: AnswerRules): unknown {
  if (typeof call !== 'object' || call === null) return call;
  return TOOL_INPUTS.reduce<Fields>((treated, [member, field]) => {
    const tool = treated[member];
    if (typeof tool !== 'object' || tool === null) return treated;
    const given = withText(tool as Fields, field, rules);
    return given === tool ? treated : { ...treated, [member]: given };
  }, call as Fields);
}

function withText(fields: Fields, name: string, rules: AnswerRules): Fields {
  const text = fields[name];
  const treated = typeof text === 'string' ? rules.whole(text) : text;
  return treated === text ? fields : { ...fields, [name]: treated };
}
