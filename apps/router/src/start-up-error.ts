import { ConfigError } from '@deja/config';
import { BadConfigFile } from './config-file.ts';

/** Why the router did not start, and what to change, as a sentence for a terminal. A stack only for what is a mistake of ours. */
export function startUpSentence(error: unknown): string {
  if (!(error instanceof Error)) return `deja router: ${String(error)}`;
  if (error instanceof BadConfigFile) return `deja router: the configuration cannot be used:\n${error.message}`;
  if (error instanceof ConfigError) return `deja router: ${error.message}`;
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error) {
    return `deja router: port ${String(error.port)} is in use: set OPS_PORT to another one, or to 0 for any that is free.`;
  }
  const isOurs = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  return `deja router: ${isOurs ? (error.stack ?? error.message) : error.message}`;
}
