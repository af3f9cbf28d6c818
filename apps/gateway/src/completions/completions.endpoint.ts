import type { WholeReply } from '../attempt/exchange.ts';
import { AttemptFailure } from '../attempt/failure.ts';
import type { CompletionUsage } from '../chat/completion.ts';
import { openAiCallOf } from '../dialects/openai/call.ts';
import { openAiUsage } from '../dialects/openai/usage.ts';
import { unsuitedAsItIs } from '../dialects/unsuited.ts';
import type { AnswerRules } from '../guard/answer-rules.ts';
import { Transcript } from '../attempt/transcript.ts';
import type { Endpoint } from '../pipeline/endpoint.ts';
import { parsedReply } from '../reply/parsed-reply.ts';
import { parseCompletionsRequest, type CompletionsRequest } from './completions-request.ts';
import { asTextCompletion, isStorableText, textStreamOf, type TextCompletion } from './text-completion.ts';
import { TextReader } from './text-reader.ts';

const PATH = 'completions';

/** `POST /v1/completions`, OpenAI's legacy completions: no translation, only providers that have them. */
export const COMPLETIONS: Endpoint<CompletionsRequest> = {
  path: PATH,
  genAiOperation: 'text_completion',
  defaultModel: null,
  textMembers: ['prompt', 'suffix'],
  parse: parseCompletionsRequest,
  unsuited: ({ body }, candidate) => unsuitedAsItIs(PATH, body.value, candidate),
  eligibility: () => ({ exact: true, semantic: false, reason: null }),
  exchange({ body, stream, includeUsage }, { candidate, rules, watched }) {
    const { server, ...call } = openAiCallOf(body, candidate, { endpoint: PATH, stream, includeUsage });
    const usageOf = (usage: CompletionUsage | null): ReturnType<typeof openAiUsage> => openAiUsage(usage, server);
    return {
      ...call,
      whole: (reply) => wholeText(reply, usageOf, rules),
      stream: () => new TextReader(includeUsage, usageOf, rules, new Transcript(watched)),
    };
  },
  replay(kept, request) {
    const completion = asTextCompletion(JSON.parse(kept.toString('utf8')));
    if (completion === null) throw new Error('a cache entry is not a completion');
    return textStreamOf(completion, request.includeUsage);
  },
};

function wholeText(bytes: Buffer, usageOf: (usage: CompletionUsage | null) => WholeReply['usage'], rules: AnswerRules | null): WholeReply {
  const completion = asTextCompletion(parsedReply(bytes));
  if (completion === null) throw new AttemptFailure('malformed');
  const facts = { usage: usageOf(completion.usage ?? null), said: () => completion.choices.map(({ text }) => text), complete: false };
  try {
    const treated = rules === null ? completion : guarded(completion, rules);
    const body = treated === completion ? bytes : Buffer.from(JSON.stringify(treated));
    return { ...facts, body, text: treated.choices.map((choice) => choice.text).join('\n'), storable: isStorableText(treated) };
  } catch (error) {
    if (!(error instanceof AttemptFailure) || error.rule === null) throw error;
    return { ...facts, body: Buffer.alloc(0), text: '', storable: false, blockedBy: error.rule };
  }
}

function guarded(completion: TextCompletion, rules: AnswerRules): TextCompletion {
  const treated = rules.withoutTokens(rules.all(completion));
  const choices = treated.choices.map((choice) => rules.withoutTokens(choice));
  return choices.some((choice, i) => choice !== treated.choices[i]) ? { ...treated, choices } : treated;
}
