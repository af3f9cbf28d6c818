import type { ChatDialect } from '../dialect.ts';
import { generateContentCall } from './chat-to-generate-content.ts';
import { geminiFailure } from './failure.ts';
import { GenerateContentStreamTranslator } from './generate-content-stream-to-chat.ts';
import { completionOf } from './generate-content-to-chat.ts';
import { geminiParams } from './params.ts';

/**
 * Google's Gemini API: `models/{model}:generateContent` and `:streamGenerateContent` below the host
 * (`https://generativelanguage.googleapis.com`).
 * @param apiVersion `v1beta` unless the provider is configured otherwise
 */
export const gemini = (apiVersion: string | null): ChatDialect => ({
  params: geminiParams,
  credentialHeaders: geminiHeaders,
  request: (body, context) => generateContentCall(body, context, apiVersion),
  reply: completionOf,
  stream: (body, context) => new GenerateContentStreamTranslator(body, context),
  failure: geminiFailure,
});

/** The key never stands in a URL: those end up in logs. */
const geminiHeaders = (credential: string): Record<string, string> => ({ 'x-goog-api-key': credential });
