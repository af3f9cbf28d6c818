import type { Attributes } from '@opentelemetry/api';
import { GEN_AI } from '@deja/telemetry';

type Body = Readonly<Record<string, unknown>>;

/** Numbers of a request, by the names OpenAI's API has for them; of several names the first. */
const NUMBERS: readonly (readonly [attribute: string, ...members: string[]])[] = [
  [GEN_AI.requestMaxTokens, 'max_completion_tokens', 'max_tokens', 'max_output_tokens'],
  [GEN_AI.requestTemperature, 'temperature'],
  [GEN_AI.requestTopP, 'top_p'],
  [GEN_AI.requestTopK, 'top_k'],
  [GEN_AI.requestFrequencyPenalty, 'frequency_penalty'],
  [GEN_AI.requestPresencePenalty, 'presence_penalty'],
  [GEN_AI.requestSeed, 'seed'],
  [GEN_AI.dimensions, 'dimensions'],
];

/** A word of an API, not of a person. */
const WORD = /^[a-z0-9_]{1,32}$/;

/** What a request asks for, as attributes of its span. Only numbers and words of the API: nothing that a person wrote. */
export function requestAttributes(body: Body): Attributes {
  const attributes: Attributes = {};
  for (const [attribute, ...members] of NUMBERS) {
    const value = members.map((member) => body[member]).find((given) => typeof given === 'number');
    if (value !== undefined) attributes[attribute] = value;
  }
  const { n, encoding_format: encoding } = body;
  if (typeof n === 'number' && n !== 1) attributes[GEN_AI.requestChoices] = n;
  const level = word(body['reasoning_effort']) ?? word(memberOf(body['reasoning'], 'effort'));
  if (level !== null) attributes[GEN_AI.requestReasoningLevel] = level;
  const format = word(encoding);
  if (format !== null) attributes[GEN_AI.requestEncodingFormats] = [format];
  const output = outputType(body);
  if (output !== null) attributes[GEN_AI.outputType] = output;
  return attributes;
}

/** Of chat completions, else of responses. */
function outputType(body: Body): string | null {
  const asked = word(memberOf(body['response_format'], 'type')) ?? word(memberOf(memberOf(body['text'], 'format'), 'type'));
  return asked?.startsWith('json') ? 'json' : asked;
}

const memberOf = (value: unknown, name: string): unknown => (typeof value === 'object' && value !== null ? (value as Body)[name] : undefined);
const word = (value: unknown): string | null => (typeof value === 'string' && WORD.test(value) ? value : null);
