import type { ParsedBody } from './canonical.ts';
import { isObject, lastUserMessage } from './conversation.ts';
import { isForeign } from './language.ts';
import { isProcedural } from './procedure.ts';
import { WORDINGS } from './wording.ts';

/** Why an answer is not shared. docs/caching.md shows the same table to users. */
export type IneligibleReason =
  | 'stateful'
  | 'background'
  | 'hosted_tools'
  | 'live_search'
  | 'tools'
  | 'tool_results'
  | 'several_choices'
  | 'logprobs'
  | 'seed'
  | 'store'
  | 'audio_output'
  | 'flagged'
  | 'no_user_text'
  | 'too_short'
  | 'too_long'
  | 'script'
  | 'language'
  | 'code'
  | 'anaphoric'
  | 'random'
  | 'time'
  | 'place'
  | 'person';

export interface Eligibility {
  exact: boolean;
  semantic: boolean;
  /** The first rule that refused something; null when nothing was refused. */
  reason: IneligibleReason | null;
}

/** With whom an answer would be shared, as far as the prompt's words are not enough to tell. */
export interface Sharing {
  /** Answers stay with one end user (scope `user:<id>`): what is said of that person is the same for all who share them. */
  byUser: boolean;
  /** Content safety found something in the prompt, and let it pass. */
  flagged: boolean;
}

const MIN_WORDS = 3;
/** Beyond this, one changed word hardly moves the embedding any more. */
const MAX_WORDS = 64;
/** A text of 64 words that is longer than this is not prose; checked first, so that no pattern meets a long text. */
const MAX_CHARS = 2000;
const MAX_NON_LATIN_SHARE = 0.2;

/**
 * Which kinds of cache may answer this request or keep its answer. Pure; conservative for semantic: whatever may mean
 * something else another time, elsewhere or from someone else is left to exact caching.
 */
export function eligibility(body: ParsedBody, sharing: Sharing): Eligibility {
  const request = body.value;
  // The client asks for what the web says at this moment.
  if (isGiven(request['web_search_options'])) return { exact: false, semantic: false, reason: 'live_search' };
  const reason = parameterReason(request) ?? (sharing.flagged ? 'flagged' : null) ?? textReason(lastUserMessage(request)?.text ?? null, sharing);
  return { exact: true, semantic: reason === null, reason };
}

function parameterReason(request: Readonly<Record<string, unknown>>): IneligibleReason | null {
  if (isFilled(request['tools']) || isFilled(request['functions'])) return 'tools';
  if (Array.isArray(request['messages']) && request['messages'].some(isToolTurn)) return 'tool_results';
  if (isGiven(request['n']) && request['n'] !== 1) return 'several_choices';
  if (request['logprobs'] === true || isGiven(request['top_logprobs'])) return 'logprobs';
  if (isGiven(request['seed'])) return 'seed';
  if (request['store'] === true) return 'store';
  if (isGiven(request['audio']) || (Array.isArray(request['modalities']) && request['modalities'].some((modality) => modality !== 'text'))) return 'audio_output';
  return null;
}

/** Why this text alone does not decide its answer; null when it does. */
function textReason(text: string | null, { byUser }: Pick<Sharing, 'byUser'>): IneligibleReason | null {
  if (text === null) return 'no_user_text';
  if (text.length > MAX_CHARS) return 'too_long';
  const plain = text.normalize('NFKC').replaceAll('\u2019', "'");
  const wordCount = plain.match(/[\p{L}\p{N}][\p{L}\p{M}\p{N}'-]*/gu)?.length ?? 0;
  if (wordCount < MIN_WORDS) return isMostlyForeign(plain) ? 'script' : 'too_short';
  if (wordCount > MAX_WORDS) return 'too_long';
  if (isMostlyForeign(plain)) return 'script';
  // The guards of the look-up, and the wordings below, know English only.
  if (isForeign(plain)) return 'language';
  for (const { reason, pattern, sign, inProcedure } of WORDINGS) {
    if (sign?.test(plain) === false || !pattern.test(plain)) continue;
    if (!(reason === 'person' && byUser) && !(inProcedure === true && isProcedural(plain))) return reason;
  }
  return null;
}

/**
 * Uses every pattern twice, for a process that is about to take requests: V8 compiles one at its first use, and to machine code at its second, which takes
 * most of a second for all of them (0.46 s and 0.27 s on two slow cores), and the whole process stands still meanwhile.
 */
export function compileWordings(): void {
  for (let use = 0; use < 2; use++) {
    textReason(PLAIN_QUESTION, { byUser: false });
    isProcedural(PLAIN_QUESTION);
    for (const { pattern, sign } of WORDINGS) {
      sign?.test(PLAIN_QUESTION);
      pattern.test(PLAIN_QUESTION);
    }
  }
}

/** Says nothing that any wording looks for, so that none is left out. */
const PLAIN_QUESTION = 'what is the capital of france';

const BEYOND_ASCII = /[^\p{ASCII}]/u;

function isMostlyForeign(text: string): boolean {
  if (!BEYOND_ASCII.test(text)) return false;
  const letters = text.match(/\p{L}/gu) ?? [];
  const foreign = letters.filter((letter) => !/\p{Script=Latin}/u.test(letter)).length;
  return letters.length > 0 && foreign / letters.length > MAX_NON_LATIN_SHARE;
}

function isToolTurn(message: unknown): boolean {
  if (!isObject(message)) return false;
  return message['role'] === 'tool' || message['role'] === 'function' || isFilled(message['tool_calls']) || isGiven(message['function_call']);
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;
const isFilled = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : isGiven(value));
