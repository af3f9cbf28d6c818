import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script; Redis keeps it by its SHA-1 until it restarts. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

export function defineScript(source: string): Script {
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

/** Runs a script by its hash, and once more with its source where this Redis does not know it. Rejects with Redis's own error. */
export async function runScript(redis: Redis, script: Script, keys: string[], args: (string | number)[]): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return await redis.eval(script.source, keys.length, ...keys, ...args);
  }
}

/** Whether a reply (also one inside a pipeline) says that the script is not known yet. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
