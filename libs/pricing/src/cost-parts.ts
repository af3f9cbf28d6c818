import type { ContextRates, Price, Usage } from '@deja/contracts';

export type CostKind =
  | 'input' | 'cached_input' | 'cache_write' | 'audio_input' | 'image_input'
  | 'output' | 'reasoning' | 'audio_output' | 'image_output'
  | 'images' | 'audio_seconds' | 'characters' | 'requests' | 'tokens' | 'service_tier';

/** A part of a cost: `quantity` × `rate` / `per`, in nano-USD. */
export interface CostPart {
  kind: CostKind;
  quantity: bigint;
  rate: bigint;
  per: bigint;
}

/** What a usage is billed for. `multiplier` is that of how it was served. */
export interface CostParts {
  parts: CostPart[];
  /** Used, and without a rate. */
  missing: CostKind[];
  multiplier: { top: bigint; bottom: bigint };
}

const MILLION = 1_000_000n;
const MS_PER_MINUTE = 60_000n;

/** The parts of a usage, each of its tokens in exactly one of them. */
export function partsOf(usage: Usage, price: Price): CostParts {
  const missing: CostKind[] = [];
  const part = (kind: CostKind, quantity: bigint, ratePer: number | undefined, per: bigint): CostPart[] => {
    if (quantity === 0n) return [];
    if (ratePer !== undefined) return [{ kind, quantity, rate: rate(ratePer), per }];
    missing.push(kind);
    return [];
  };
  const parts = [
    ...tokenParts(usage, price, part),
    ...part('images', count(usage.images), price.perImage, 1n),
    ...part('audio_seconds', count((usage.audioSeconds ?? 0) * 1000), price.perAudioMinute, MS_PER_MINUTE),
    ...part('characters', count(usage.characters), price.perMillionCharacters, MILLION),
  ];
  // A batch is many requests, and nobody says how many.
  if (price.perRequest !== undefined) parts.push(...part('requests', 1n, usage.serviceTier === 'batch' ? undefined : price.perRequest, 1n));
  return { parts, missing, multiplier: multiplierOf(usage, price, missing) };
}

/** The rates for a prompt of this length, and by how much cache writes are dearer than their own rate. */
export function ratesFor(promptTokens: number, price: Price): Pick<ContextRates, 'input' | 'cachedInput' | 'output' | 'cacheWrite'> {
  return tierFor(promptTokens, price) ?? price;
}

type PartOf = (kind: CostKind, quantity: bigint, ratePer: number | undefined, per: bigint) => CostPart[];

function tokenParts(usage: Usage, price: Price, part: PartOf): CostPart[] {
  const prompt = count(usage.promptTokens);
  const completion = count(usage.completionTokens);
  if (price.tokenless) return part('tokens', prompt + completion, undefined, MILLION);

  const audioIn = price.audioInput === 'text' ? 0n : least(count(usage.audioInputTokens), prompt);
  const imageIn = price.imageInput === undefined ? 0n : least(count(usage.imageInputTokens), prompt - audioIn);
  const text = prompt - audioIn - imageIn;
  const cached = least(count(usage.cachedTokens), text);
  const written = least(count(usage.cacheWriteTokens), text - cached);
  const audioOut = least(count(usage.audioOutputTokens), completion);
  const imageOut = least(count(usage.imageOutputTokens), completion - audioOut);
  const reasoning = price.reasoning === undefined ? 0n : least(count(usage.reasoningTokens), completion - audioOut - imageOut);

  // A batch tells the sum of its requests, none of which need be long.
  const tier = usage.serviceTier === 'batch' ? null : tierFor(usage.promptTokens, price);
  const rates = tier ?? price;
  const audioInput = price.audioInput === 'text' ? undefined : price.audioInput;
  return [
    ...part('input', text - cached - written, rates.input, MILLION),
    ...part('cached_input', cached, rates.cachedInput, MILLION),
    ...writeParts(written, price, tier),
    ...part('audio_input', audioIn, audioInput, MILLION),
    ...part('image_input', imageIn, price.imageInput, MILLION),
    ...part('output', completion - audioOut - imageOut - reasoning, rates.output, MILLION),
    ...part('reasoning', reasoning, price.reasoning, MILLION),
    ...part('audio_output', audioOut, price.audioOutput, MILLION),
    ...part('image_output', imageOut, price.imageOutput, MILLION),
  ];
}

/** Few lists name a long-context rate for cache writes; Anthropic's documented multipliers stack, so the ratio to input stays. */
function writeParts(written: bigint, price: Price, tier: ContextRates | null): CostPart[] {
  if (written === 0n) return [];
  const own = (rateOfWrites: number): CostPart[] => [{ kind: 'cache_write', quantity: written, rate: rate(rateOfWrites), per: MILLION }];
  if (tier?.cacheWrite !== undefined) return own(tier.cacheWrite);
  if (tier === null || price.input <= 0) return own(price.cacheWrite);
  return [{ kind: 'cache_write', quantity: written, rate: rate(price.cacheWrite) * rate(tier.input), per: MILLION * rate(price.input) }];
}

/** That of the longest length that the prompt goes beyond; null: it goes beyond none. */
function tierFor(promptTokens: number, { tiers, longContext }: Price): ContextRates | null {
  const all = tiers ?? (longContext === null ? [] : [longContext]);
  return all.findLast(({ abovePromptTokens }) => promptTokens > abovePromptTokens) ?? null;
}

function multiplierOf({ serviceTier }: Usage, { serviceTiers }: Price, missing: CostKind[]): CostParts['multiplier'] {
  if (serviceTier === undefined) return { top: 1n, bottom: 1n };
  const multiplier = serviceTiers?.[serviceTier];
  if (multiplier === undefined) missing.push('service_tier');
  return { top: rate((multiplier ?? 1) * 1e6), bottom: MILLION };
}

/** A count that is no whole number is a defect upstream; money must not depend on it. */
const count = (value: number | undefined): bigint => BigInt(Math.max(0, Math.round(value ?? 0)) || 0);
const rate = (nanoUsd: number): bigint => BigInt(Math.round(nanoUsd));
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
