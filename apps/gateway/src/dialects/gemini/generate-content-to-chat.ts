import { AttemptFailure } from '../../attempt/failure.ts';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { ChatCompletion, CompletionChoice, CompletionUsage } from '../../chat/completion.ts';
import type { TranslationContext } from '../dialect.ts';
import { CandidateReader, logprobsOf } from './candidate.ts';
import { blockReason, indexOf, isGenerateContentReply, isObject, objectsOf, textOf, type GenerateContentReply } from './generate-content.ts';

/** A whole `generateContent` reply as a chat completion; throws an AttemptFailure `malformed` when it is none or not complete. */
export function completionOf(reply: unknown, body: ChatBody, context: TranslationContext): ChatCompletion {
  if (!isGenerateContentReply(reply)) throw new AttemptFailure('malformed');
  const head = headOf(reply, context);
  const choices = objectsOf(reply.candidates).map((candidate, position) => choiceOf(candidate, position, head.id, body));
  const blocked = blockReason(reply);
  if (choices.length === 0 && blocked === null) throw new AttemptFailure('malformed');
  if (choices.length === 0 && blocked !== null) {
    choices.push({ index: 0, message: { role: 'assistant', content: '', refusal: refusalOf(blocked) }, logprobs: null, finish_reason: 'content_filter' });
  }
  const usage = usageIn(reply.usageMetadata);
  return { ...head, object: 'chat.completion', choices, ...(usage && { usage }) };
}

function choiceOf(candidate: Record<string, unknown>, position: number, id: string, body: ChatBody): CompletionChoice {
  const index = indexOf(candidate, position);
  const reader = new CandidateReader(index, callIdStem(id), body.parallel_tool_calls === false);
  const said = { ...reader.read(candidate), ...reader.closing() };
  if (reader.finish === null) throw new AttemptFailure('malformed', { cause: new Error('the candidate does not say why it ended') });
  const { tool_calls: calls, ...rest } = said;
  const toolCalls = objectsOf(calls).map(({ index: _index, ...call }) => call);
  const message = { role: 'assistant', content: null, refusal: null, ...rest, ...(toolCalls.length > 0 && { tool_calls: toolCalls }) };
  return { index, message, logprobs: logprobsOf(candidate), finish_reason: reader.finish };
}

/** What a completion and all its chunks say of themselves. */
export function headOf(reply: GenerateContentReply, context: TranslationContext): { id: string; created: number; model: string } {
  return {
    id: `chatcmpl-${textOf(reply.responseId) ?? context.createdS}`,
    created: context.createdS,
    model: textOf(reply.modelVersion) ?? context.upstreamModel,
  };
}

/**
 * How the ids of a completion's calls begin. The response's own id keeps them apart over the turns of a conversation; the
 * letters are those every provider accepts, should the conversation go on elsewhere.
 */
export const callIdStem = (id: string): string => `call_${id.slice('chatcmpl-'.length).replaceAll(/[^A-Za-z0-9_-]/g, '')}`;

export const refusalOf = (blocked: { reason: string; message: string | null }): string => blocked.message ?? `The provider blocked the prompt: ${blocked.reason}.`;

/** `usageMetadata` in OpenAI's words: thoughts are completion tokens, what built-in tools brought in are prompt tokens. */
export function usageIn(metadata: unknown): CompletionUsage | null {
  if (!isObject(metadata)) return null;
  const count = (name: string): number => (typeof metadata[name] === 'number' ? metadata[name] : 0);
  const prompt = count('promptTokenCount') + count('toolUsePromptTokenCount');
  const thoughts = count('thoughtsTokenCount');
  const completion = count('candidatesTokenCount') + thoughts;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: count('cachedContentTokenCount'), ...ofModalities(metadata['promptTokensDetails']) },
    completion_tokens_details: { reasoning_tokens: thoughts, ...ofModalities(metadata['candidatesTokensDetails']) },
  };
}

/** Tokens of sounds and pictures (ModalityTokenCount); pictures in a prompt, videos among them, are billed as text. */
function ofModalities(details: unknown): { audio_tokens?: number; image_tokens?: number } {
  const tokensOf = (modality: string): number => objectsOf(details).reduce((sum, detail) => sum + (detail['modality'] === modality && typeof detail['tokenCount'] === 'number' ? detail['tokenCount'] : 0), 0);
  const [audio, image] = [tokensOf('AUDIO'), tokensOf('IMAGE')];
  return { ...(audio > 0 && { audio_tokens: audio }), ...(image > 0 && { image_tokens: image }) };
}
