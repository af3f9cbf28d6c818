import type { Candidate } from '@deja/contracts';
import type { ChatRequest } from '../chat/chat-request.ts';
import { withMembers } from '../validate/json-body.ts';

/** An OpenAI-compatible provider's URL for chat completions. */
export const chatUrl = (baseUrl: string): string => `${baseUrl.replace(/\/+$/, '')}/chat/completions`;

/** The client's own body, with the upstream model's name and, for a stream, usage asked for; nothing else is touched. */
export function chatBody(request: ChatRequest, candidate: Candidate): string {
  const changes: Record<string, string> = {};
  if (candidate.upstreamModel !== request.model) changes['model'] = JSON.stringify(candidate.upstreamModel);
  if (request.stream && !request.includeUsage) {
    const asked = request.body.value['stream_options'];
    changes['stream_options'] = JSON.stringify({ ...(typeof asked === 'object' && asked), include_usage: true });
  }
  return withMembers(request.body, changes);
}

export function openAiHeaders(credential: string | null): Record<string, string> {
  return { 'content-type': 'application/json', ...(credential !== null && { authorization: `Bearer ${credential}` }) };
}
