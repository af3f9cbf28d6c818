import type { SafetyRules } from '@deja/content-safety';
import type { Price } from './usage.ts';

/** Ceilings; a missing one is no ceiling. Spelled as in deja.yaml and the admin API. */
export interface Limits {
  requests_per_minute?: number | undefined;
  tokens_per_minute?: number | undefined;
  requests_per_day?: number | undefined;
  tokens_per_day?: number | undefined;
  concurrency?: number | undefined;
}

/** Who a client key stands for. Pushed changes and the gateway's cache are by `keySha256`. */
export interface Principal {
  tenant: string;
  /** Id of the client key. */
  key: string;
  /** Public model names this key may use; null is all. */
  models: string[] | null;
  limits: { tenant: Limits; key: Limits; perUser: Limits };
  /** Where the tenant or the key has ceilings of its own in place of `settings.validation`; the key's go before the tenant's. */
  validation?: Partial<Validation>;
  expiresAtMs: number | null;
}

export type ProviderKind = 'openai' | 'azure-openai' | 'anthropic' | 'gemini' | 'simulated';
export type Strategy = 'weighted' | 'least_latency' | 'least_busy' | 'cheapest' | 'priority';

/** A provider secret as the rest of the world may see it. The value itself travels only in a sealed lease. */
export interface CredentialRef {
  /** `provider/name` */
  id: string;
  /** Changes when the value does; a lease is good for exactly one version. */
  version: string;
  weight: number;
  limits: Limits;
  /** Not to be chosen before this time (Unix ms): cooling after a 429, or set aside after a 401. 0 when healthy. */
  unavailableUntilMs: number;
}

/** Provider + upstream model. */
export interface Deployment {
  /** `provider/model` */
  id: string;
  provider: string;
  kind: ProviderKind;
  baseUrl: string;
  apiVersion: string | null;
  /** Which OpenAI-compatible server this is; null: known by its address. */
  server?: string | null;
  /** `*`: the name the client sent. */
  upstreamModel: string;
  /** Empty where the provider needs none. */
  credentials: CredentialRef[];
  unavailableUntilMs: number;
}

/** A name clients may send, and what stands behind it. */
export interface PublicModel {
  name: string;
  strategy: Strategy;
  deployments: { id: string; weight: number; priority: number }[];
  /** Other public models, in order, when every deployment failed. */
  fallbacks: string[];
}

export interface Timeouts {
  connect_ms: number;
  first_byte_ms: number;
  idle_ms: number;
  total_ms: number;
  unary_ms: number;
}

/** What a request may be at most; spelled as in deja.yaml. */
export interface Validation {
  max_body_bytes: number;
  max_messages: number;
  max_input_tokens: number;
  max_output_tokens: number;
  /** What happens when more output is asked for than `max_output_tokens`: a 400, or the ceiling in its place (also where nothing was asked). */
  over_output: 'refuse' | 'clamp';
}

/** Names of the OpenAI-compatible servers whose quirks are known (apps/gateway/src/dialects/openai/compatible-servers.ts). */
export const COMPATIBLE_SERVER_NAMES = ['openai', 'deepseek', 'groq', 'mistral', 'xai', 'openrouter', 'ollama', 'vllm', 'together', 'fireworks', 'cohere', 'generic'] as const;

export type CacheScope = 'key' | 'user' | 'tenant' | 'global';

/** What every gateway needs to know of deja.yaml; spelled as there. */
export interface Settings {
  timeouts: Timeouts;
  retries: { max_attempts: number; backoff_ms: [number, number] };
  limits: { global: Limits; per_key: Limits; per_user: Limits; degraded: 'open' | 'closed' | 'local_share' };
  validation: Validation;
  streams: { /** A comment is sent when a stream has been silent for so long; 0: never. */ keep_alive_ms: number };
  content_safety: SafetyRules;
  cache: {
    scope: CacheScope;
    exact: { enabled: boolean; ttl_s: number };
    semantic: { enabled: boolean; ttl_s: number };
  };
  /** Overrides of the shipped price table, by upstream model or `provider/model`. */
  prices: Record<string, Omit<Price, 'version'>>;
}

/** Everything a gateway needs to plan a request without a call. Holds no secret. Router replicas agree on one per version. */
export interface RoutingSnapshot {
  /** Grows with every change, over all router replicas. */
  version: number;
  issuedAtMs: number;
  models: PublicModel[];
  deployments: Deployment[];
  settings: Settings;
}

/** One upstream call to be made. */
export interface Candidate {
  /** The public model this candidate serves: the requested one or a fallback. */
  model: string;
  deployment: Deployment;
  credential: CredentialRef | null;
  upstreamModel: string;
}

/** Ordered attempts for one operation. Never empty when it exists. */
export interface Plan {
  snapshotVersion: number;
  candidates: Candidate[];
}
