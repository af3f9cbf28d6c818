import { parseJsonBody, withMembers, type JsonBody } from '../validate/json-body.ts';
import { setMember } from '../dialects/own-members.ts';
import { textsIn, withTexts } from './texts.ts';

/** Members of a request that identify or set something; every other one is read by somebody, also one that is not known here. */
const SETTINGS = new Set([
  'model', 'user', 'safety_identifier', 'prompt_cache_key', 'prompt_cache_retention', 'service_tier', 'previous_response_id', 'conversation', 'stream', 'stream_options', 'tool_choice', 'include', 'store',
  'background', 'truncation', 'reasoning', 'reasoning_effort', 'verbosity', 'modalities', 'encoding_format', 'voice', 'size', 'quality', 'style', 'output_format', 'language',
]);

/** Whether content rules leave this member, or this field of a form, alone. */
export const isSetting = (name: string): boolean => SETTINGS.has(name);

/** Everything a person wrote into these members of a request, in order. */
export const promptTexts = (body: JsonBody, members: readonly string[]): string[] => members.flatMap((name) => textsIn(body.value[name]));

/** Every text in it that is to be treated, settings apart, with the member in which it stands, in order. */
export function textsToTreat(body: JsonBody): [text: string, member: string][] {
  const texts: [string, string][] = [];
  treatedBody(body, (text, member) => {
    texts.push([text, member]);
    return text;
  });
  return texts;
}

/** The body with each text in it replaced by what `treat` makes of it, settings apart; the very same body when nothing changes. `treat` is told in which member a text stands. */
export function treatedBody(body: JsonBody, treat: (text: string, member: string) => string): JsonBody {
  const changes: Record<string, string> = {};
  for (const [name, before] of Object.entries(body.value)) {
    if (isSetting(name)) continue;
    // The members of `metadata` and the like have names of the client's own.
    const after = withTexts({ [name]: before }, (text) => treat(text, name))[name];
    if (after !== before) setMember(changes, name, JSON.stringify(after));
  }
  return Object.keys(changes).length === 0 ? body : parseJsonBody(Buffer.from(withMembers(body, changes)));
}
