/**
 * The parts of Gemini's `generateContent` that are written or read here ("Generating content" in the Gemini API
 * reference). What comes from the provider is `unknown` until it was looked at.
 */
export interface Part {
  text?: string;
  inlineData?: { mimeType: string; data: string };
  fileData?: { mimeType: string; fileUri: string };
  functionCall?: { id?: string; name: string; args: Record<string, unknown> };
  functionResponse?: { id?: string; name: string; response: Record<string, unknown> };
  /** Opaque; what a model sent must come back where it stood. */
  thoughtSignature?: string;
}

export interface Content {
  role: 'user' | 'model';
  parts: Part[];
}

/** One reply or one event of a stream: both have the same form. */
export interface GenerateContentReply {
  candidates?: unknown;
  promptFeedback?: unknown;
  usageMetadata?: unknown;
  modelVersion?: unknown;
  responseId?: unknown;
}

export interface Candidate {
  index?: unknown;
  content?: unknown;
  finishReason?: unknown;
  logprobsResult?: unknown;
}

export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects of a list; nothing when it is none. */
export const objectsOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isObject) : []);

export const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Which candidate this is: by its own word, else by its place. */
export const indexOf = ({ index }: Candidate, position: number): number => (typeof index === 'number' && Number.isSafeInteger(index) ? index : position);

/** Whether this is a `generateContent` reply at all, not another API's or an error. */
export function isGenerateContentReply(value: unknown): value is GenerateContentReply {
  return isObject(value) && (Array.isArray(value['candidates']) || isObject(value['promptFeedback']) || isObject(value['usageMetadata']));
}

/** Why the prompt as a whole was refused, in Gemini's word such as `SAFETY`; null when it was not. */
export function blockReason(reply: GenerateContentReply): { reason: string; message: string | null } | null {
  if (!isObject(reply.promptFeedback)) return null;
  const reason = textOf(reply.promptFeedback['blockReason']);
  if (reason === null || reason.endsWith('_UNSPECIFIED')) return null;
  return { reason, message: textOf(reply.promptFeedback['blockReasonMessage']) };
}
