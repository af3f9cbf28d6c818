import type { Candidate } from '@deja/contracts';
import { z } from 'zod';
import type { Exchange } from '../attempt/exchange.ts';
import { openAiCallOf } from '../dialects/openai/call.ts';
import { lacks, offers } from '../dialects/unsuited.ts';
import type { ApiRequest, Endpoint } from '../pipeline/endpoint.ts';
import { nullish } from '../validate/fields.ts';
import type { JsonBody } from '../validate/json-body.ts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { asModeration } from './verdict.ts';

const PATH = 'moderations';
/** What OpenAI takes where the body names no model. */
const DEFAULT_MODEL = 'omni-moderation-latest';

const moderationsRequest = z.looseObject({
  model: nullish(z.string().min(1).max(256)),
  input: z.union([z.string(), z.array(z.union([z.string(), z.looseObject({ type: z.string() })])).min(1)], { error: 'expected a string, an array of strings, or an array of content parts' }),
});

function parse(body: JsonBody): ApiRequest {
  const value = parseOrRefuse(moderationsRequest, body.value);
  const inputs = typeof value.input === 'string' ? [value.input] : value.input;
  return {
    body,
    model: value.model ?? DEFAULT_MODEL,
    stream: false,
    user: null,
    parts: { texts: inputs.filter((input) => typeof input === 'string'), messages: 0, images: [], tools: 0 },
    messages: inputs.length,
    maxOutputTokens: 0,
    outputParam: null,
    choices: 1,
    lastUserText: null,
  };
}

/** One moderation call with this body. The endpoint counts no tokens. */
export function moderationCall(candidate: Candidate, body: JsonBody): Exchange {
  const { server: _server, ...call } = openAiCallOf(body, candidate, { endpoint: PATH, stream: false, includeUsage: false });
  return {
    ...call,
    whole: (bytes) => {
      asModeration(bytes);
      const usage = { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
      return { body: bytes, storable: true, complete: false, usage, said: () => [], text: '' };
    },
    stream: () => {
      throw new Error('moderations do not stream');
    },
  };
}

/** `POST /v1/moderations`. Not guarded itself: judging such texts is what it is for. */
export const MODERATIONS: Endpoint & { offeredBy(deployment: Candidate['deployment']): boolean } = {
  path: PATH,
  genAiOperation: 'moderation',
  defaultModel: DEFAULT_MODEL,
  textMembers: [],
  parse,
  offeredBy: (deployment) => offers({ deployment }, PATH),
  unsuited: (_request, candidate) => (offers(candidate, PATH) ? null : lacks(candidate, PATH)),
  eligibility: () => ({ exact: true, semantic: false, reason: null }),
  exchange({ body }, { candidate }) {
    return moderationCall(candidate, body);
  },
  replay: () => [],
};
