import { z } from 'zod';
import { ACTIONS, DETECTOR_NAMES } from './action.ts';

const action = z.enum(ACTIONS);

const SIDES_MESSAGE = 'write block, redact, flag or off, or { prompts: …, answers: … } with these';
const sides = z.union([action, z.strictObject({ prompts: action.default('off'), answers: action.default('off') })], { error: SIDES_MESSAGE });

const denyRule = z.strictObject({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}$/, 'write a name of letters, digits, ".", "_" and "-" that begins with a letter, at most 63 long').optional(),
  pattern: z.string().min(1),
  action: z.enum(['block', 'redact', 'flag']).default('block'),
  on: z.enum(['prompts', 'answers', 'both']).default('prompts'),
});

const deny = z.union([z.string().min(1), denyRule], { error: 'write a pattern, or { pattern: …, name: …, action: block | redact | flag, on: prompts | answers | both }' });

/** `content_safety` in deja.yaml, checked for form. `safetyRules` makes of it what the gateways need. */
export const safetySchema = z.strictObject({
  deny: z.array(deny).default([]),
  secrets: sides.optional(),
  pii: sides.optional(),
  detectors: z.strictObject(Object.fromEntries(DETECTOR_NAMES.map((name) => [name, sides.optional()]))).prefault({}),
  moderation: z.strictObject({
    model: z.string().min(1).max(256),
    on_error: z.enum(['open', 'closed']).default('open'),
    timeout_ms: z.int().min(1).max(86_400_000).default(800),
    thresholds: z.record(z.string().min(1).max(64), z.number().min(0).max(1)).optional(),
    answers: z.boolean().default(false),
  }).optional(),
});

export type SafetyConfig = z.output<typeof safetySchema>;
