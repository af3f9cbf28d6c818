import type { Attributes } from '@opentelemetry/api';
import type { Usage } from '@deja/contracts';
import { GEN_AI } from '@deja/telemetry';

const NANO = 1e9;

/** What was used, in tokens. Parts that are none of it are left out. */
export function usageAttributes(usage: Usage): Attributes {
  const parts: [attribute: string, tokens: number | undefined][] = [
    [GEN_AI.cachedTokens, usage.cachedTokens],
    [GEN_AI.cacheWriteTokens, usage.cacheWriteTokens],
    [GEN_AI.reasoningTokens, usage.reasoningTokens],
    [GEN_AI.audioInputTokens, usage.audioInputTokens],
    [GEN_AI.imageInputTokens, usage.imageInputTokens],
    [GEN_AI.audioOutputTokens, usage.audioOutputTokens],
    [GEN_AI.imageOutputTokens, usage.imageOutputTokens],
  ];
  const attributes: Attributes = { [GEN_AI.inputTokens]: usage.promptTokens, [GEN_AI.outputTokens]: usage.completionTokens };
  for (const [attribute, tokens] of parts) if (tokens !== undefined && tokens > 0) attributes[attribute] = tokens;
  return attributes;
}

/** For people who look at a trace: money that is counted is integer nano-USD. */
export const usdOf = (nanoUsd: bigint): number => Number(nanoUsd) / NANO;
