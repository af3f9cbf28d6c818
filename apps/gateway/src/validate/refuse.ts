import { DejaError } from '@deja/contracts';
import type { z } from 'zod';

/** Parses with a schema or throws the 400 that names the first wrong field as OpenAI does: `messages[0].role`. `words`: of what is wrong, in place of zod's. */
export function parseOrRefuse<T>(schema: z.ZodType<T>, value: unknown, words?: z.core.$ZodErrorMap): T {
  const result = schema.safeParse(value, words === undefined ? undefined : { error: words });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const param = pathText(issue?.path ?? []);
  if (isMissing(value, issue?.path ?? [])) {
    throw new DejaError('missing_required_parameter', `Missing required parameter: '${param}'.`, { param });
  }
  throw new DejaError('invalid_value', `Invalid value for '${param}': ${complaint(issue?.message ?? 'not as expected')}.`, { param });
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`), '');
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return false;
    if (!Object.hasOwn(at, step)) return true;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return false;
}

const complaint = (message: string): string => (message.startsWith('Invalid input: ') ? message.slice('Invalid input: '.length) : message).replace(/\.$/, '');
