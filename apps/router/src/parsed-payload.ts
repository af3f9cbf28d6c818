import { memberAt } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import { z } from 'zod';

/** JsonWebKeyPublic of the contracts. */
export const PUBLIC_KEY = z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string().optional() });

/** The payload as the contract has it. Throws `invalid_value` naming the field. */
export function parsed<T>(schema: z.ZodType<T>, payload: unknown): T {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  const param = memberAt(result.error.issues[0]?.path ?? []);
  // What did not fit is not repeated: it may be a secret in the wrong place.
  throw new DejaError('invalid_value', `The message is not of the expected form: ${param}.`, { param });
}
