import { BUDGET_PERIODS, CAPTURE_MODES, countedModel, DEGRADED_MODES, nanoUsd, usdText } from '@deja/contracts';
import { z } from 'zod';

// Fields that several resources have. What deja.yaml accepts of them, these accept too (libs/config, schema.ts).

export const tenantId = z.string().regex(/^[a-z0-9-]{1,63}$/, 'write the id of a tenant: a-z, 0-9 and "-", at most 63 long');
/** For people, of a tenant, key or token: one line that is as it looks, with nothing in it that is not seen, or turns the order of what is. */
export const label = z.string().min(1).max(200).regex(/^\P{Cc}*$/u, 'write one line without control characters')
  .refine((text) => !/[\p{Cf}\p{Zl}\p{Zp}]/u.test(text), 'write one line without invisible characters, as those of no width or that change the direction of text')
  .refine((text) => /[^\s\p{Default_Ignorable_Code_Point}\u2800]/u.test(text), 'write more than blanks');
/** Of a credential or provider. */
export const slug = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'write a name of letters, digits, ".", "_" and "-", at most 63 long');
/** Limits are kept by model, and no object has a member `__proto__`. */
export const modelName = z.string().min(1).max(256).refine((name) => name !== '__proto__', 'no model can have this name: write another one');
/** RFC 3339; or a day, which is its beginning in UTC. */
export const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })], 'write a day or a moment, as 2026-11-01 or 2026-11-01T09:30:00Z')
  // Of earlier years not every program knows what is meant.
  .refine((given) => given >= '1000', 'write a moment from the year 1000 on')
  .transform((given) => (given.length === '2026-11-01'.length ? `${given}T00:00:00Z` : given));
export const graceS = z.int().min(0).max(2_592_000);

/** A model that limits and budgets count alone. */
const countedModelName = modelName.refine((name) => countedModel(name) === name, 'requests with a preference count as the model without it: write the name without :cost, :speed or :capability');
const ceiling = z.int().min(1).max(1_000_000_000_000).optional();
const ceilings = { requests_per_minute: ceiling, tokens_per_minute: ceiling, requests_per_day: ceiling, tokens_per_day: ceiling, concurrency: ceiling };
/** Ceilings; a missing one is no ceiling. */
export const limits = z.strictObject(ceilings);
/** Ceilings of a tenant, key or user, and of single models within it. */
export const scopeLimits = z.strictObject({
  ...ceilings,
  models: z.record(countedModelName, limits).refine((models) => Object.keys(models).length <= 100, 'name at most 100 models').optional(),
  degraded: z.enum(DEGRADED_MODES).optional(),
});

const AMOUNT_MESSAGE = 'write an amount in US dollars, as "12.50", at most 1000000000 and no finer than a nano-dollar';
/** US dollars as decimal text, exact to a nano-dollar. Numbers are taken as they are written. */
export const usd = z.union([z.string(), z.number()], AMOUNT_MESSAGE).transform((value, context): string => {
  try {
    const nano = nanoUsd(String(value));
    if (nano < 0n || nano > 1_000_000_000_000_000_000n) throw new RangeError('out of range');
    return usdText(nano);
  } catch {
    context.addIssue({ code: 'custom', message: AMOUNT_MESSAGE });
    return z.NEVER;
  }
});

const timeZone = z.string().max(64).refine(isTimeZone, 'write an IANA time zone, as "Europe/Zurich"');
export const budget = z.strictObject({
  usd,
  period: z.enum(BUDGET_PERIODS),
  /** `hard` refuses what may exceed it, `soft` only tells. */
  mode: z.enum(['hard', 'soft']).default('hard'),
  /** In which days, weeks (from Monday) and months begin. */
  time_zone: timeZone.default('UTC'),
  /** Counts this public model alone. */
  model: countedModelName.optional(),
  degraded: z.enum(DEGRADED_MODES).optional(),
});
/** A hard and a soft one may stand side by side; of two that differ in their amount alone, the larger one would be for nothing. */
export const budgets = z.array(budget).max(20).superRefine((given, context) => {
  const seen = new Set<string>();
  for (const [index, { mode, period, time_zone: zone, model }] of given.entries()) {
    const what = JSON.stringify([mode, period, zone.toLowerCase(), model]);
    if (seen.has(what)) context.addIssue({ code: 'custom', path: [index], message: `there is another ${mode} budget of this period, time zone and model: keep one of them` });
    seen.add(what);
  }
});

/** What holds for each end user of a key. */
export const perUser = z.strictObject({ ...scopeLimits.shape, budgets: budgets.optional() });

/** In place of deja.yaml's `cache`, member by member. */
export const cachePolicy = z.strictObject({
  scope: z.enum(['key', 'user', 'tenant']).optional(),
  exact: z.strictObject({ enabled: z.boolean().optional(), ttl_s: z.int().min(1).max(31_536_000).optional() }).optional(),
  semantic: z.strictObject({
    enabled: z.boolean().optional(),
    ttl_s: z.int().min(1).max(31_536_000).optional(),
    verification: z.enum(['strict', 'balanced']).optional(),
    max_wrong_rate: z.number().min(0).max(1).optional(),
    /** By public model, where that is another. */
    max_wrong_rates: z.record(z.string().min(1).max(256), z.number().min(0).max(1)).refine((given) => Object.keys(given).length <= 100, 'give at most 100 models').optional(),
  }).optional(),
});

/** In place of deja.yaml's `validation`, member by member. */
export const validation = z.strictObject({
  max_body_bytes: z.int().min(1).max(1_073_741_824).optional(),
  max_messages: z.int().min(1).max(1_000_000).optional(),
  max_input_tokens: z.int().min(1).max(1_000_000_000).optional(),
  max_output_tokens: z.int().min(1).max(1_000_000_000).optional(),
  over_output: z.enum(['refuse', 'clamp']).optional(),
});

export const captureMode = z.enum(CAPTURE_MODES);

const tagText = z.string().min(1).max(64).regex(/^[^,=\p{Cc}]*$/u, 'write no commas, "=" or control characters');
export const tags = z.record(tagText, tagText).refine((given) => Object.keys(given).length <= 16, 'give at most 16 tags');

/** Query parameters are text. */
export const limit = z.string().regex(/^\d{1,4}$/, 'write a number from 1 to 1000').transform(Number).pipe(z.int().min(1).max(1000)).default(100);
/** It may hold names that clients made. */
export const cursor = z.string().min(1).max(8192).optional();
export const page = { limit, cursor };

/** Replies. */
export const wireMoment = z.iso.datetime().nullable();
export const usdOut = z.string().nullable();
export const listOf = <T extends z.ZodType>(item: T): z.ZodObject<{ object: z.ZodLiteral<'list'>; data: z.ZodArray<T>; has_more: z.ZodBoolean; next_cursor: z.ZodNullable<z.ZodString> }> =>
  z.object({ object: z.literal('list'), data: z.array(item), has_more: z.boolean(), next_cursor: z.string().nullable() });
export const deleted = z.object({ object: z.string(), id: z.string(), deleted: z.literal(true) });

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return !/^[+-]/.test(name); // offsets have no name that a person would know a month later
  } catch {
    return false;
  }
}
