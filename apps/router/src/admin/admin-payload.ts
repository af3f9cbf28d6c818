import { ROLES } from '@deja/admin-api';
import { z } from 'zod';
import { PUBLIC_KEY } from '../parsed-payload.ts';

const text = z.string().min(1).max(512);

const actor = z.object({
  id: text,
  name: z.string().max(512),
  role: z.enum(ROLES),
  tenant: text.nullable(),
  from: z.string().max(512).nullable(),
  requestId: z.string().max(512),
  expiresAtMs: z.number().nullable().default(null),
});

/** AdminChange of the contracts. */
const change = {
  by: actor,
  ifMatch: z.string().max(512).nullable(),
  /** What is kept under a short key would not be kept from those who try all of them. */
  idempotency: z.object({ key: z.string().regex(/^[\x20-\x7e]{16,255}$/), fingerprint: text }).nullable(),
};
export const ADMIN_CHANGE = z.object(change);

/** AdminCall of the contracts. */
export const ADMIN_CALL = z.object({
  ...change,
  operation: text,
  params: z.record(z.string(), z.string().max(1024)),
  query: z.unknown(),
  body: z.unknown(),
  sealTo: PUBLIC_KEY.nullable(),
});

/** AuditedChange of the contracts. */
export const AUDITED_CHANGE = z.object({
  change: ADMIN_CHANGE,
  action: text,
  resource: text,
  resourceId: text.nullable(),
  tenant: text.nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  outcome: z.unknown(),
});

export const RESOLVE_ADMIN_TOKEN = z.object({ tokenSha256: z.string().regex(/^[0-9a-f]{64}$/), publicId: z.string().max(64) });
