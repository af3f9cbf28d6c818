import { createHash } from 'node:crypto';
import type { RedisClient } from './client.ts';
import type { Pipeline, PipelineReply } from './pipeline.ts';

/** A Lua script; Redis keeps it by its SHA-1 until it restarts. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

export function defineScript(source: string): Script {
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

/** Runs a script by its hash, and once more with its source where this Redis does not know it. Rejects with Redis's own error. */
export async function runScript(redis: RedisClient, script: Script, keys: string[], args: (string | number)[]): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return await redis.eval(script.source, keys.length, ...keys, ...args);
  }
}

/** A call of a script that travels in a pipeline. */
export interface ScriptCall {
  script: Script;
  keys: string[];
  args: (string | number)[];
}

/** Adds a script to a pipeline. Read its reply with `scriptReply`. */
export function queueScript(pipeline: Pipeline, { script, keys, args }: ScriptCall): Pipeline {
  return pipeline.evalsha(script.sha1, keys.length, ...keys, ...args);
}

/**
 * What a script in a pipeline answered; where this Redis did not know it, it runs now, with its source. `reply` is the
 * script's place in what `exec()` resolved to. Rejects with Redis's own error.
 */
export async function scriptReply(redis: RedisClient, reply: PipelineReply | undefined, call: ScriptCall): Promise<unknown> {
  const error = reply === undefined ? new Error('the pipeline was not executed') : reply[0];
  if (error === null) return reply?.[1];
  if (!isUnknownScript(error)) throw error;
  return await redis.eval(call.script.source, call.keys.length, ...call.keys, ...call.args);
}

/** Whether an error (also one inside a pipeline) says that the script is not known yet. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
