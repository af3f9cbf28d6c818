import { z } from 'zod';

/** A field that may be absent or null, as OpenAI's API takes nearly all. */
export const nullish = <T extends z.ZodType>(schema: T): z.ZodOptional<z.ZodNullable<T>> => schema.nullable().optional();
