import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Whether the optional package that runs neural models is here, with a binary for this machine. */
function isInstalled(): boolean {
  try {
    const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
    return existsSync(join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch));
  } catch {
    return false; // not resolved: not installed
  }
}

export const describeWithRuntime: typeof describe.skip = isInstalled() ? describe : describe.skip;
export const REQUIREMENT = isInstalled() ? 'with onnxruntime-node' : 'skipped, for onnxruntime-node is not installed on this machine';
