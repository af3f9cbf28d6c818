import { PRIORITIES } from '@deja/contracts';
import { z } from 'zod';
import { budgets, cachePolicy, captureMode, deleted, graceS, label, listOf, modelName, moment, page, perUser, scopeLimits, tags, tenantId, validation, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

/** Below `/v1/`, as the ledger names them; `files` also stands for `files/{id}` and what is below it. */
export const KEY_ENDPOINTS = ['chat/completions', 'responses', 'completions', 'embeddings', 'moderations', 'models', 'images', 'audio', 'files', 'batches'] as const;

const network = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], 'write a network or an address, as 10.0.0.0/8');
const settings = {
  /** Public models; null: all of its tenant's. */
  models: z.array(modelName).min(1).max(1000).nullable(),
  /** null: all. */
  endpoints: z.array(z.enum(KEY_ENDPOINTS)).min(1).nullable(),
  /** Where requests with it may come from; null: from anywhere. */
  networks: z.array(network).min(1).max(100).nullable(),
  /** Go into every request's tags; a request may add to them, and change none. */
  tags,
  limits: scopeLimits,
  /** What holds for each end user; in place of deja.yaml's `limits.per_user`, member by member. */
  per_user: perUser,
  budgets,
  cache: cachePolicy,
  validation,
  /** What the request log keeps of bodies; null: what its tenant says. */
  capture: captureMode.nullable(),
  /** Of `batch`, requests are refused first when a gateway has too many. */
  priority: z.enum(PRIORITIES),
};

export const keyObject = z.object({
  object: z.literal('key'),
  id: z.uuid(),
  tenant: tenantId,
  name: label,
  /** How the key begins: to find it again. Empty for one that was not made here. */
  prefix: z.string(),
  ...settings,
  disabled: z.boolean(),
  expires_at: wireMoment,
  /** The former secret's end, while a rotation's grace runs. */
  grace_until: wireMoment,
  created_at: wireMoment,
  updated_at: wireMoment,
});
export type KeyObject = z.output<typeof keyObject>;
export const keyWithSecret = keyObject.extend({ key: z.string() });

const newKey = z.strictObject({
  tenant: tenantId,
  name: label,
  models: settings.models.default(null),
  endpoints: settings.endpoints.default(null),
  networks: settings.networks.default(null),
  tags: settings.tags.prefault({}),
  limits: settings.limits.prefault({}),
  per_user: settings.per_user.prefault({}),
  budgets: settings.budgets.default([]),
  cache: settings.cache.prefault({}),
  validation: settings.validation.prefault({}),
  capture: settings.capture.default(null),
  priority: settings.priority.default('interactive'),
  expires_at: moment.nullable().default(null),
});
const keyChange = z.strictObject({ name: label, ...settings, disabled: z.boolean(), expires_at: moment.nullable() }).partial();
const rotation = z.strictObject({ grace_s: graceS.default(3600) });

export const KEYS = [
  operation({ id: 'createKey', method: 'POST', path: 'keys', summary: 'Make a client key; the answer has it in clear, once', body: newKey, reply: keyWithSecret, status: 201, secret: 'key', tenantScoped: true }),
  operation({ id: 'listKeys', method: 'GET', path: 'keys', summary: 'Client keys', query: z.strictObject({ ...page, tenant: tenantId.optional() }), reply: listOf(keyObject), tenantScoped: true }),
  operation({ id: 'getKey', method: 'GET', path: 'keys/{id}', summary: 'One client key', reply: keyObject, tenantScoped: true }),
  operation({ id: 'updateKey', method: 'PATCH', path: 'keys/{id}', summary: 'Change a client key', body: keyChange, reply: keyObject, tenantScoped: true }),
  operation({ id: 'rotateKey', method: 'POST', path: 'keys/{id}/rotate', summary: 'Give a client key a new secret; the former one works until its grace is over', body: rotation, reply: keyWithSecret, secret: 'key', tenantScoped: true }),
  operation({ id: 'deleteKey', method: 'DELETE', path: 'keys/{id}', summary: 'Revoke a client key', reply: deleted, tenantScoped: true }),
] as const;
