import { nanoUsd, type ContextRates, type PriceOverride, type Settings } from '@deja/contracts';
import { z } from 'zod';

const usd = z.number().min(0).max(1_000_000);
const multiplier = z.number().min(0).max(100);
/** A day, from its beginning in UTC, or a moment with its zone. */
const validFrom = z.union([z.iso.date(), z.iso.datetime({ offset: true })], 'write a day, as 2026-01-01, or a moment, as 2026-01-01T06:00:00Z');

const contextRates = z.strictObject({
  above_prompt_tokens: z.int().min(1).max(1_000_000_000),
  input_usd_per_million: usd,
  cached_input_usd_per_million: usd.optional(),
  cache_write_usd_per_million: usd.optional(),
  output_usd_per_million: usd,
});

const price = z
  .strictObject({
    input_usd_per_million: usd.optional(),
    cached_input_usd_per_million: usd.optional(),
    cache_write_usd_per_million: usd.optional(),
    output_usd_per_million: usd.optional(),
    reasoning_usd_per_million: usd.optional(),
    audio_input_usd_per_million: usd.optional(),
    audio_output_usd_per_million: usd.optional(),
    image_input_usd_per_million: usd.optional(),
    image_output_usd_per_million: usd.optional(),
    usd_per_image: usd.optional(),
    usd_per_audio_minute: usd.optional(),
    usd_per_million_characters: usd.optional(),
    usd_per_request: usd.optional(),
    long_context: z.array(contextRates).min(1).max(16).optional(),
    service_tiers: z.strictObject({ batch: multiplier.optional(), flex: multiplier.optional(), priority: multiplier.optional() }).optional(),
    valid_from: validFrom.optional(),
  })
  .superRefine((written, context) => {
    const report = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [name], message });
    const [input, output] = [written.input_usd_per_million, written.output_usd_per_million];
    const isTokenless = input === undefined && output === undefined && TOKENLESS.some((name) => written[name] !== undefined);
    for (const [name, value] of isTokenless ? [] : Object.entries({ input_usd_per_million: input, output_usd_per_million: output })) {
      if (value === undefined) report(name, `${name} is missing: write ${name}: <number>`);
    }
    const ofTokens = isTokenless ? Object.keys(written).find((name) => name.endsWith('_usd_per_million') || name === 'long_context') : undefined;
    if (ofTokens !== undefined) report(ofTokens, 'says what tokens cost: write input_usd_per_million and output_usd_per_million too');
    const lengths = (written.long_context ?? []).map(({ above_prompt_tokens: length }) => length);
    if (lengths.some((length, n) => n > 0 && length <= (lengths[n - 1] ?? 0))) report('long_context', 'must have the shorter lengths first, each once');
  });
type FilePrice = z.output<typeof price>;

/** Of these a model may be billed for alone. */
const TOKENLESS = ['usd_per_image', 'usd_per_audio_minute', 'usd_per_million_characters', 'usd_per_request'] as const;

const datedPrices = z.array(price).min(1).max(1000).superRefine((list, context) => {
  list.forEach(({ valid_from: from }, n) => {
    if (n === 0) return;
    const before = list[n - 1]?.valid_from;
    if (from === undefined) context.addIssue({ code: 'custom', path: [n, 'valid_from'], message: 'valid_from is missing: only the first price of a model may hold from the beginning' });
    else if (before !== undefined && Date.parse(from) <= Date.parse(before)) context.addIssue({ code: 'custom', path: [n, 'valid_from'], message: `must be later than that of the price before it, ${before}` });
  });
});

/** `prices` of deja.yaml: of each model one price, or several, each from its day on. */
export const pricesSchema = z.record(z.string().min(1), z.union([price, datedPrices]));

/** Overrides of the shipped table, from what the file says. */
export function overridesOf(prices: z.output<typeof pricesSchema>): Settings['prices'] {
  return Object.fromEntries(Object.entries(prices).map(([name, written]) => [name, Array.isArray(written) ? written.map(overrideOf) : overrideOf(written)]));
}

/** Cached tokens cost what others cost where the file does not say: assuming less would be a guess in the user's favour. */
function overrideOf(written: FilePrice): PriceOverride {
  const input = nano(written.input_usd_per_million ?? 0);
  const tiers = written.long_context?.map((rates): ContextRates => ({
    abovePromptTokens: rates.above_prompt_tokens,
    input: nano(rates.input_usd_per_million),
    cachedInput: nano(rates.cached_input_usd_per_million ?? rates.input_usd_per_million),
    output: nano(rates.output_usd_per_million),
    ...(rates.cache_write_usd_per_million !== undefined && { cacheWrite: nano(rates.cache_write_usd_per_million) }),
  }));
  const others = Object.entries(MEMBERS).flatMap(([member, name]) => (written[name] === undefined ? [] : [[member, nano(written[name])]]));
  return {
    input,
    cachedInput: written.cached_input_usd_per_million === undefined ? input : nano(written.cached_input_usd_per_million),
    cacheWrite: written.cache_write_usd_per_million === undefined ? input : nano(written.cache_write_usd_per_million),
    output: nano(written.output_usd_per_million ?? 0),
    longContext: tiers?.[0] ?? null,
    ...(tiers !== undefined && tiers.length > 1 && { tiers }),
    ...(Object.fromEntries(others) as Partial<Record<Member, number>>),
    ...(written.service_tiers !== undefined && { serviceTiers: written.service_tiers }),
    ...(written.input_usd_per_million === undefined && { tokenless: true as const }),
    ...(written.valid_from !== undefined && { validFromMs: Date.parse(written.valid_from) }),
  };
}

const MEMBERS = {
  reasoning: 'reasoning_usd_per_million', audioInput: 'audio_input_usd_per_million', audioOutput: 'audio_output_usd_per_million', imageInput: 'image_input_usd_per_million',
  imageOutput: 'image_output_usd_per_million', perImage: 'usd_per_image', perAudioMinute: 'usd_per_audio_minute', perMillionCharacters: 'usd_per_million_characters', perRequest: 'usd_per_request',
} as const;
type Member = keyof typeof MEMBERS;

/** Overrides as deja.yaml spells them. */
export function pricesObject(overrides: Settings['prices']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(overrides).map(([name, own]) => [name, isList(own) ? own.map(priceObject) : priceObject(own)]));
}

const isList = (own: Settings['prices'][string]): own is readonly PriceOverride[] => Array.isArray(own);

function priceObject(override: PriceOverride): Record<string, unknown> {
  const tiers = override.tiers ?? (override.longContext === null ? [] : [override.longContext]);
  const others = Object.entries(MEMBERS).flatMap(([member, name]) => (override[member as Member] === undefined ? [] : [[name, dollars(Number(override[member as Member]))]]));
  return {
    ...(!override.tokenless && ratesObject(override)),
    ...Object.fromEntries(others),
    ...(tiers.length > 0 && { long_context: tiers.map((rates) => ({ above_prompt_tokens: rates.abovePromptTokens, ...ratesObject(rates) })) }),
    ...(override.serviceTiers !== undefined && { service_tiers: override.serviceTiers }),
    ...(override.validFromMs !== undefined && { valid_from: new Date(override.validFromMs).toISOString() }),
  };
}

function ratesObject({ input, cachedInput, cacheWrite, output }: Pick<ContextRates, 'input' | 'cachedInput' | 'cacheWrite' | 'output'>): Record<string, unknown> {
  return {
    input_usd_per_million: dollars(input),
    cached_input_usd_per_million: dollars(cachedInput),
    ...(cacheWrite !== undefined && { cache_write_usd_per_million: dollars(cacheWrite) }),
    output_usd_per_million: dollars(output),
  };
}

/** USD to integer nano-USD by way of decimal text: 0.075 is 75000000 exactly. */
const nano = (amount: number): number => Number(nanoUsd(amount.toFixed(9)));
const dollars = (nanoDollars: number): number => nanoDollars / 1e9;
