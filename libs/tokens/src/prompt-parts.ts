/** An image of a prompt. Without both width and height (pixels) its size is unknown, as with an address or a file id. */
export interface PromptImage {
  width?: number;
  height?: number;
  /** As the client asked: `low`, `high`, `original`, else `auto`. */
  detail?: string;
}

/**
 * What a prompt is made of, whatever the endpoint: chat and responses fill all of it; embeddings and completions have
 * texts and no messages; a prompt given as token ids is `tokens`.
 */
export interface PromptParts {
  /** All that is read as text: contents, names, instructions, arguments and results of tool calls. */
  texts: readonly string[];
  /** How many messages (or responses' input items) frame the texts; 0 where the texts are the whole prompt. */
  messages: number;
  images: readonly PromptImage[];
  /** Characters of the JSON of tools and answer schemas. */
  tools: number;
  /** Bytes of sound, decoded from base64. */
  audioBytes?: number;
  /** Tokens the caller knows by other means: token ids it was given, a document it has weighed. */
  tokens?: number;
}
