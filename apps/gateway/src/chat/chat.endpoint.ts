import { eligibility } from '@deja/cache-key';
import { unsuitedForChat } from '../dialects/unsuited.ts';
import { Transcript } from '../attempt/transcript.ts';
import type { Endpoint } from '../pipeline/endpoint.ts';
import { streamOf } from '../reply/replay.ts';
import { chatCall, spokenText, wholeChatReply } from './chat-exchange.ts';
import { ChatReader } from './chat-reader.ts';
import { parseChatRequest, type ChatRequest } from './chat-request.ts';
import { asCompletion } from './completion.ts';

/** `POST /v1/chat/completions` */
export const CHAT: Endpoint<ChatRequest> = {
  path: 'chat/completions',
  genAiOperation: 'chat',
  defaultModel: null,
  textMembers: ['messages'],
  parse: parseChatRequest,
  unsuited: (request, candidate) => unsuitedForChat(request.value, candidate),
  eligibility: (request, sharing) => eligibility(request.body, sharing),
  exchange(request, context) {
    const question = { json: request.body, body: request.value, stream: request.stream, includeUsage: request.includeUsage };
    const call = chatCall(question, context);
    return {
      ...call,
      whole: (reply) => wholeChatReply(call, reply),
      stream: () => new ChatReader(call.chunks(), request.includeUsage, call.usageIn, new Transcript(context.watched)),
    };
  },
  replay(kept, request) {
    const completion = asCompletion(JSON.parse(kept.toString('utf8')));
    if (completion === null) throw new Error('a cache entry is not a chat completion');
    return streamOf(completion, request.includeUsage);
  },
  said(kept) {
    const completion = asCompletion(JSON.parse(kept.toString('utf8')));
    return completion && spokenText(completion);
  },
};
