import type { PromptParts } from '@deja/tokens';
import { PartsCollector } from '../validate/prompt-parts.ts';
import type { ChatBody } from './chat-request.ts';

/** What a chat request's prompt is made of. */
export function chatParts({ messages, tools, response_format: format, functions }: ChatBody): PromptParts {
  return new PartsCollector().add(messages).parts(messages.length, [tools, functions, format?.['json_schema']]);
}
