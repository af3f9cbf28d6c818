import { Secret } from '@deja/config';
import { z } from 'zod';

// What deja.yaml accepts of a credential, this accepts too (libs/config, schema.ts).

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const MAX_GRACE_S = 2_592_000;

const name = z.string().regex(NAME, 'write a name of letters, digits, ".", "_" and "-", at most 63 long');
const tenant = z.string().regex(/^[a-z0-9-]{1,63}$/, 'write the id of a tenant: a-z, 0-9 and "-", at most 63 long');
const weight = z.number().min(0).max(1_000_000);
const ceiling = z.int().min(1).max(1_000_000_000_000).optional();
const limits = z.strictObject({ requests_per_minute: ceiling, tokens_per_minute: ceiling, requests_per_day: ceiling, tokens_per_day: ceiling, concurrency: ceiling });

/** It goes into a header of HTTP. From here on nothing that prints it shows it. */
const value = z.string().max(8192).regex(/^[\x21-\x7e]+$/, 'write printable ASCII without blanks').transform((text) => new Secret(text));

/** Whether requests may go there is for the router to say. */
const baseUrl = z.string().max(2048).refine(isPlainUrl, 'write an absolute http or https URL without user, password, query or fragment');

export const NEW_CREDENTIAL = z.strictObject({
  provider: name,
  name,
  value,
  weight: weight.default(1),
  limits: limits.prefault({}),
  tenant: tenant.nullable().default(null),
  base_url: baseUrl.nullable().default(null),
});

export const CREDENTIAL_CHANGE = z.strictObject({ weight: weight.optional(), limits: limits.optional(), disabled: z.boolean().optional() });

export const ROTATION = z.strictObject({ value, grace_s: z.int().min(0).max(MAX_GRACE_S).default(3600) });

export type NewCredentialBody = z.output<typeof NEW_CREDENTIAL>;
export type CredentialChange = z.output<typeof CREDENTIAL_CHANGE>;
export type Rotation = z.output<typeof ROTATION>;

function isPlainUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || /[?#\s]/.test(text) || !URL.canParse(text)) return false;
  const { username, password, host } = new URL(text);
  return username === '' && password === '' && host !== '';
}
