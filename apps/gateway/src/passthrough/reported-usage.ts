import type { Usage } from '@deja/contracts';

/** Enough for any `usage` object, which stands at or near the end of every reply that has one. */
const TAIL_BYTES = 16 * 1024;

/** Keeps the end of a reply as it streams by, and finds the usage reported there. */
export class ReportedUsage {
  private tail: Buffer = Buffer.alloc(0);
  private total = 0;

  add(chunk: Uint8Array): void {
    this.total += chunk.length;
    const joined = chunk.length >= TAIL_BYTES ? Buffer.from(chunk.subarray(chunk.length - TAIL_BYTES)) : Buffer.concat([this.tail, chunk]);
    this.tail = joined.length > TAIL_BYTES ? joined.subarray(joined.length - TAIL_BYTES) : joined;
  }

  get bytes(): number {
    return this.total;
  }

  get usage(): Usage | null {
    return lastUsageIn(this.tail.toString('utf8'));
  }
}

/** The last object called `usage` in a JSON text or an event stream; null when there is none that counts tokens. */
export function lastUsageIn(text: string): Usage | null {
  for (let at = text.lastIndexOf('"usage"'); at >= 0; at = at === 0 ? -1 : text.lastIndexOf('"usage"', at - 1)) {
    const open = /^"usage"\s*:\s*\{/.exec(text.slice(at, at + 64));
    const usage = open ? countsOf(objectAt(text, at + open[0].length - 1)) : null;
    if (usage) return usage;
  }
  return null;
}

/** The JSON object that begins at this brace, parsed; null when it does not end or is none. */
function objectAt(text: string, brace: number): Record<string, unknown> | null {
  let depth = 0;
  let quoted = false;
  for (let i = brace; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{') depth++;
    else if (c === '}' && --depth === 0) {
      try {
        return JSON.parse(text.slice(brace, i + 1)) as Record<string, unknown>;
      } catch {
        return null; // not JSON after all
      }
    }
  }
  return null;
}

const MOST_TOKENS = 1_000_000_000;
const count = (value: unknown): number | null => (typeof value === 'number' && value >= 0 && value <= MOST_TOKENS ? Math.round(value) : null);

function countsOf(usage: Record<string, unknown> | null): Usage | null {
  const promptTokens = count(usage?.['input_tokens'] ?? usage?.['prompt_tokens']);
  if (promptTokens === null) return null;
  const completionTokens = count(usage?.['output_tokens'] ?? usage?.['completion_tokens']) ?? 0;
  return { promptTokens, cachedTokens: 0, cacheWriteTokens: 0, completionTokens, reasoningTokens: 0 };
}
