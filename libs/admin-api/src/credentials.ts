import { TROUBLES } from '@deja/contracts';
import { z } from 'zod';
import { deleted, graceS, limits, listOf, page, slug, tenantId, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

const weight = z.number().min(0).max(1_000_000);
/** It goes into a header of HTTP. */
const value = z.string().max(8192).regex(/^[\x21-\x7e]+$/, 'write printable ASCII without blanks');
/** Whether requests may go there is for the router to say. */
const baseUrl = z.string().max(2048).refine(isPlainUrl, 'write an absolute http or https URL without user, password, query or fragment');

export const health = z.enum(['healthy', 'out', 'probation']);
export const trouble = z.enum(TROUBLES).nullable();

export const credentialObject = z.object({
  object: z.literal('credential'),
  id: z.string(),
  provider: z.string(),
  name: z.string(),
  tenant: tenantId.nullable(),
  base_url: z.string().nullable(),
  weight: z.number(),
  limits,
  disabled: z.boolean(),
  source: z.enum(['file', 'api']),
  last_four: z.string(),
  health,
  trouble,
  unavailable_until: wireMoment,
  grace_until: wireMoment,
  created_at: wireMoment,
  updated_at: wireMoment,
});
export type CredentialObject = z.output<typeof credentialObject>;

const newCredential = z.strictObject({
  provider: slug,
  name: slug,
  value,
  weight: weight.default(1),
  limits: limits.prefault({}),
  tenant: tenantId.nullable().default(null),
  base_url: baseUrl.nullable().default(null),
});
const credentialChange = z.strictObject({ weight: weight.optional(), limits: limits.optional(), disabled: z.boolean().optional() });
const rotation = z.strictObject({ value, grace_s: graceS.default(3600) });

export const CREDENTIALS = [
  operation({ id: 'createCredential', method: 'POST', path: 'credentials', summary: 'Keep a credential of a provider, encrypted', owner: 'gateway', body: newCredential, reply: credentialObject, status: 201, tenantScoped: true }),
  operation({ id: 'listCredentials', method: 'GET', path: 'credentials', summary: 'Credentials, also those of deja.yaml', owner: 'gateway', query: z.strictObject(page), reply: listOf(credentialObject), tenantScoped: true }),
  operation({ id: 'getCredential', method: 'GET', path: 'credentials/{id}', summary: 'One credential', owner: 'gateway', reply: credentialObject, tenantScoped: true }),
  operation({ id: 'updateCredential', method: 'PATCH', path: 'credentials/{id}', summary: 'Change a credential', owner: 'gateway', body: credentialChange, reply: credentialObject, tenantScoped: true }),
  operation({ id: 'rotateCredential', method: 'POST', path: 'credentials/{id}/rotate', summary: 'Give a credential a new value; the former one stays a fallback until its grace is over', owner: 'gateway', body: rotation, reply: credentialObject, tenantScoped: true }),
  operation({ id: 'deleteCredential', method: 'DELETE', path: 'credentials/{id}', summary: 'Destroy a credential', owner: 'gateway', reply: deleted, tenantScoped: true }),
  operation({
    id: 'rewrapVault',
    method: 'POST',
    path: 'vault/rewrap',
    summary: 'Move stored credentials to the current master key; call it again while something remains',
    owner: 'gateway',
    role: 'owner',
    reply: z.object({ current_key: z.string(), rewrapped: z.int(), remaining: z.int(), failed: z.array(z.object({ id: z.string(), reason: z.string() })) }),
  }),
] as const;

function isPlainUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || /[?#\s]/.test(text) || !URL.canParse(text)) return false;
  const { username, password, host } = new URL(text);
  return username === '' && password === '' && host !== '';
}
