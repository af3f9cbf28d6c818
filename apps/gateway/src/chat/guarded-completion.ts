import type { AnswerRules } from '../guard/answer-rules.ts';
import type { ChatCompletion } from './completion.ts';

/** The completion with the content rules applied to every text in it; the very same one where they change nothing. Throws an AttemptFailure `blocked`. */
export function guardedCompletion(completion: ChatCompletion, rules: AnswerRules): ChatCompletion {
  const treated = rules.withoutTokens(rules.all(completion));
  const choices = treated.choices.map((choice) => rules.withoutTokens(choice));
  return choices.some((choice, i) => choice !== treated.choices[i]) ? { ...treated, choices } : treated;
}
