import type { ChatDialect } from '../dialect.ts';
import { chatToMessages } from './chat-to-messages.ts';
import { messagesFailure } from './failure.ts';
import { MessageStreamToChat } from './message-stream-to-chat.ts';
import { messageToChat } from './message-to-chat.ts';
import { params } from './params.ts';

/** Anthropic's Messages API. The provider's base URL is the host. */
export const anthropic: ChatDialect = {
  params,
  credentialHeaders: (credential) => ({ 'x-api-key': credential }),
  request: chatToMessages,
  reply: messageToChat,
  stream: (body, context) => new MessageStreamToChat(body, context),
  failure: messagesFailure,
};
