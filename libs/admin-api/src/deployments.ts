import { z } from 'zod';
import { health, trouble } from './credentials.ts';
import { listOf, modelName, page, slug, tenantId, usdOut, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

const state = { health, trouble, unavailable_until: wireMoment };
const ms = z.number().nullable();

export const deploymentObject = z.object({
  object: z.literal('deployment'),
  /** `provider/model` */
  id: z.string(),
  provider: z.string(),
  kind: z.string(),
  upstream_model: z.string(),
  models: z.array(z.string()),
  drained: z.boolean(),
  ...state,
  /** Over all gateways; null while unknown. */
  first_byte_ms: ms,
  /** Within the breaker's window, over all gateways. */
  calls: z.int(),
  failures: z.int(),
  credentials: z.array(z.object({ id: z.string(), ...state })),
  /** What the gateway that answers has seen itself. */
  this_gateway: z.object({ in_flight: z.int(), first_byte_ms: ms }),
});
export type DeploymentObject = z.output<typeof deploymentObject>;

/** Endpoints a plan can be asked for. */
export const PLAN_ENDPOINTS = ['chat/completions', 'responses', 'completions', 'embeddings', 'moderations'] as const;

const planQuestion = z.strictObject({
  model: modelName,
  endpoint: z.enum(PLAN_ENDPOINTS).default('chat/completions'),
  tenant: tenantId.nullable().default(null),
  body: z.record(z.string(), z.unknown()).optional(),
  requires: z.strictObject({ region: slug.optional(), tags: z.array(slug).max(16).optional() }).prefault({}),
});
/** One deployment with one credential; null is unknown, or does not apply. */
const candidate = z.object({
  order: z.int().nullable(),
  model: z.string(),
  deployment: z.string(),
  credential: z.string().nullable(),
  version: z.string().nullable(),
  role: z.string().nullable(),
  reason: z.string().nullable(),
  behind: z.string().nullable(),
  trouble,
  weight: z.number(),
  priority: z.number(),
  credential_weight: z.number().nullable(),
  wait_ms: z.number(),
  quota_wait_ms: z.number(),
  first_byte_ms: ms,
  in_flight: z.int(),
  /** Expected, as decimal text. */
  cost_usd: usdOut,
  capability: z.number().nullable(),
});

export const DEPLOYMENTS = [
  operation({ id: 'listDeployments', method: 'GET', path: 'deployments', summary: 'Deployments with their health', owner: 'gateway', query: z.strictObject(page), reply: listOf(deploymentObject) }),
  operation({ id: 'getDeployment', method: 'GET', path: 'deployments/{id}', summary: 'One deployment', owner: 'gateway', reply: deploymentObject }),
  operation({ id: 'drainDeployment', method: 'POST', path: 'deployments/{id}/drain', summary: 'Take a deployment out of rotation', owner: 'gateway', reply: deploymentObject }),
  operation({ id: 'resumeDeployment', method: 'POST', path: 'deployments/{id}/resume', summary: 'Put a deployment back into rotation', owner: 'gateway', reply: deploymentObject }),
  operation({
    id: 'explainPlan',
    method: 'POST',
    path: 'plan/explain',
    summary: 'Why a request goes where it goes',
    owner: 'gateway',
    role: 'viewer',
    change: false,
    body: planQuestion,
    reply: z.object({ model: z.string(), snapshot_version: z.number(), candidates: z.array(candidate) }),
  }),
] as const;
