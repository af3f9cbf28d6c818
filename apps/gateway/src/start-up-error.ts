import { ConfigError } from '@deja/config';

/** What is said of an error that a gateway could not start for: the sentence of a mistake of the user's, else where it happened. */
export function startUpSentence(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
