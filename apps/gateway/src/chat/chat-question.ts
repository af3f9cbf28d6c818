import type { JsonBody } from '../validate/json-body.ts';
import type { ChatBody } from './chat-request.ts';

/** A chat request as it stands, to be put to any kind of provider. */
export interface ChatQuestion {
  /** The client's own text, where it is a chat request; it goes on byte for byte to those who speak OpenAI's language. */
  json: JsonBody;
  body: ChatBody;
  stream: boolean;
  includeUsage: boolean;
}
