import type { SafetyRules } from '@deja/content-safety';
import type { CaptureMode } from './capture.ts';
import type { Priority } from './priority.ts';
import type { PriceOverride } from './usage.ts';

/** Ceilings; a missing one is no ceiling. Spelled as in deja.yaml and the admin API. */
export interface Limits {
  requests_per_minute?: number | undefined;
  tokens_per_minute?: number | undefined;
  requests_per_day?: number | undefined;
  tokens_per_day?: number | undefined;
  concurrency?: number | undefined;
}

/** What becomes of a limit while Redis cannot be asked: everything is let through, nothing, or this gateway's share of it. */
export const DEGRADED_MODES = ['open', 'closed', 'local_share'] as const;
export type DegradedMode = (typeof DEGRADED_MODES)[number];

/** Ceilings of a tenant, key or user, or of everybody together, and of single public models within it. */
export interface ScopeLimits extends Limits {
  models?: Record<string, Limits> | undefined;
  /** In place of `settings.limits.degraded`. */
  degraded?: DegradedMode | undefined;
}

export const BUDGET_PERIODS = ['day', 'week', 'month', 'total'] as const;
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

/** What may be spent within a period; spelled as in deja.yaml and the admin API. */
export interface Budget {
  /** Decimal text, exact to a nano-dollar. */
  usd: string;
  period: BudgetPeriod;
  /** `hard`: what may exceed it is refused. `soft`: it is only told. */
  mode: 'hard' | 'soft';
  /** IANA name of the time zone whose days, weeks (from Monday) and months count. */
  time_zone: string;
  /** Counts requests for this public model alone. */
  model?: string | undefined;
  /** As for limits. */
  degraded?: DegradedMode | undefined;
}

/** What holds for each end user. */
export interface PerUser extends ScopeLimits {
  budgets?: Budget[] | undefined;
}

/** In place of `settings.cache`, member by member. */
export interface CachePolicy {
  scope?: 'key' | 'user' | 'tenant' | undefined;
  exact?: { enabled?: boolean | undefined; ttl_s?: number | undefined } | undefined;
  semantic?: { enabled?: boolean | undefined; ttl_s?: number | undefined; verification?: 'strict' | 'balanced' | undefined; max_wrong_rate?: number | undefined; max_wrong_rates?: Record<string, number> | undefined } | undefined;
}

/** Who a client key stands for. Pushed changes and the gateway's cache are by `keySha256`. */
export interface Principal {
  tenant: string;
  /** Grows with every change of the tenant or one of its keys; `tenantRevisionKey` has the newest. */
  revision: number;
  /** Id of the client key. */
  key: string;
  /** Public model names this key may use: what key and tenant both allow; null is all. */
  models: string[] | null;
  /** Endpoints it may use (KEY_ENDPOINTS of the admin API); null is all. */
  endpoints: string[] | null;
  /** Networks and addresses its requests may come from; null is anywhere. */
  networks: string[] | null;
  /** Stand in every request's tags; a request cannot change them. */
  tags: Record<string, string>;
  limits: { tenant: ScopeLimits; key: ScopeLimits; perUser: ScopeLimits };
  budgets: { tenant: Budget[]; key: Budget[]; perUser: Budget[] };
  /** The key's goes before its tenant's. */
  cache: CachePolicy;
  /** Where the tenant or the key has ceilings of its own in place of `settings.validation`; the key's go before the tenant's. */
  validation?: Partial<Validation>;
  /** In place of `settings.capture`; the key's goes before the tenant's. */
  capture?: CaptureMode;
  /** Absent: `interactive`. */
  priority?: Priority;
  expiresAtMs: number | null;
}

export type ProviderKind = 'openai' | 'azure-openai' | 'anthropic' | 'gemini' | 'simulated';
export type Strategy = 'weighted' | 'least_latency' | 'least_busy' | 'cheapest' | 'priority';

/** What speaks against a credential or a deployment. */
export const TROUBLES = [
  'rate_limited', // 429
  'exhausted', // the account has run out of money
  'rejected', // 401
  'forbidden', // 403, again and again
  'failing', // 5xx, time-outs, broken answers
] as const;
export type Trouble = (typeof TROUBLES)[number];

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
  /** Why it is, or was, set aside. After `unavailableUntilMs` it is on probation: one request at a time may try whether it has healed. Absent when healthy. */
  trouble?: Trouble;
  /** Only this tenant's requests may use it, and then in place of everyone's. Absent: everyone's. */
  tenant?: string;
  /** Where requests with this credential go in place of the provider's address, as each Azure resource has an address of its own. */
  baseUrl?: string;
  /** The address came by the admin API: what it resolves to is checked against `settings.outbound` at every connection. */
  checkedAddress?: boolean;
  /** The former value of a rotated credential: a fallback until its grace is over. Stands beside the current one, with the same id. */
  retiring?: boolean;
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
  /** Empty where the provider needs none, unless it is `keyed`. */
  credentials: CredentialRef[];
  /** There is no credential, and the provider is not called without one. */
  keyed?: boolean;
  unavailableUntilMs: number;
  /** As for a credential. */
  trouble?: Trouble;
  /** An operator took it out of rotation. */
  drained?: boolean;
  /** Milliseconds to the first byte, moving average over all gateways; absent when nothing is known. */
  firstByteMs?: number;
}

/** One deployment's part in a public model. */
export interface ModelDeployment {
  /** Id of the deployment. */
  id: string;
  weight: number;
  /** Lower numbers first. */
  priority: number;
  /** Gets this share of the requests at first hand, whatever the strategy, and is otherwise only a fallback. In [0, 1]. */
  canary?: number;
  /** Gets a copy of this share of the requests; its answers are recorded and never returned. In [0, 1]. */
  shadow?: number;
  region?: string;
  tags?: string[];
}

export type Preference = 'cost' | 'speed' | 'capability';

/** A name clients may send, and what stands behind it. */
export interface PublicModel {
  name: string;
  strategy: Strategy;
  /** Empty for a model that chooses among `candidates`. */
  deployments: ModelDeployment[];
  /** Other public models, in order, when every deployment failed. */
  fallbacks: string[];
  /** Other public models, in order, where the prompt is too long for this one, or its provider's filter refuses the prompt. */
  fallbacksOn?: { contextWindow: string[]; contentPolicy: string[] };
  /** A second attempt elsewhere when the first has not produced a byte after this percentile of its own latency. */
  hedge?: { percentile: number; maxShare: number };
  /** Turns of one conversation go to the same deployment, for the provider's prompt cache. Absent: true. */
  affinity?: boolean;
  /** Public models among which this one chooses by what a request needs. */
  candidates?: string[];
  /** How it orders them unless the request says so. */
  prefer?: Preference;
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

export interface SemanticSettings {
  enabled: boolean;
  ttl_s: number;
  /** `built-in`, `onnx:<folder>`, or `<provider>:<model>` where the gateway buys vectors. */
  embedder: string;
  verification: 'strict' | 'balanced';
  /** Share of semantically served answers that may be wrong, at most; and by public model, where that is another. In [0, 1]. */
  max_wrong_rate: number;
  max_wrong_rates: Record<string, number>;
  /** Would-be hits that the provider answers all the same: this share of them, and at most so many an hour for each tenant and gateway. */
  audit: { share: number; max_per_hour: number };
  /** A public model that says whether two questions, or two answers, are the same; null: none is asked. */
  judge: { model: string; timeout_ms: number } | null;
  /** What the index holds of one tenant at most: entries, and bytes of their answers. */
  max_entries_per_tenant: number;
  max_bytes_per_tenant: number;
}

/** What every gateway needs to know of deja.yaml; spelled as there. */
export interface Settings {
  timeouts: Timeouts;
  /** `budget`: retries of one deployment, as a share of the requests it gets. */
  retries: { max_attempts: number; backoff_ms: [number, number]; budget: number };
  /** When a deployment is taken out of rotation: so many failures, and this share of its calls, within the window; and for how long at first and at most. */
  breaker: { window_s: number; min_failures: number; error_rate: number; pause_ms: [number, number] };
  /** How long what is known stays good while nobody can say whether it still is. */
  stale_ok_s: number;
  /** Hosts (`llm.internal`, `*.example.com`) and networks (`10.0.0.0/8`) that are not on the public internet and that addresses from the admin API may name all the same. */
  outbound: { allow: string[] };
  /** Of everybody together; and of each tenant, key and user (of a tenant) that has none of its own, member by member. */
  limits: { global: ScopeLimits; per_tenant: ScopeLimits; per_key: ScopeLimits; per_user: ScopeLimits; degraded: DegradedMode };
  /** `global` counts everybody together; the others hold for each tenant, key and user that has none of its own. */
  budgets: { global: Budget[]; per_tenant: Budget[]; per_key: Budget[]; per_user: Budget[] };
  validation: Validation;
  streams: { /** A comment is sent when a stream has been silent for so long; 0: never. */ keep_alive_ms: number };
  content_safety: SafetyRules;
  cache: {
    scope: CacheScope;
    exact: { enabled: boolean; ttl_s: number };
    semantic: SemanticSettings;
    /** A semantic hit is not sent before so long after the request came, so that its time tells nobody what others asked; 0: at once. */
    pad_hits_ms: number;
  };
  /** What the request log keeps of bodies, unless tenant or key say otherwise. */
  capture: CaptureMode;
  request_log: { /** Of captured bodies. */ retention_days: number; /** Whether prompts are searched by their words, which then stand in Postgres in clear. */ search: boolean };
  ledger: {
    /** Of the rows of requests and attempts, and of the sums by the quarter of an hour; those by day stay. */
    retention_days: number;
    /** Of the sums by minute. */
    minutes_retention_days: number;
    /** About so much of Redis may wait there for a usage-worker before gateways keep what they settle on their disks. */
    queue_max_bytes: number;
    /** Of a gateway's disk: figures that Redis does not take; and captured bodies, of which more are dropped. */
    spool_max_bytes: number;
    capture_spool_max_bytes: number;
  };
  /** Overrides of the shipped price table, by upstream model or `provider/model`; several of one model in the order of their beginnings. */
  prices: Record<string, PriceOverride | readonly PriceOverride[]>;
  /** Overrides of the shipped capability ranks (0 to 100, higher is more capable), by upstream model or `provider/model`. */
  capability: Record<string, number>;
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
  /** At the address that goes with the credential. */
  deployment: Deployment;
  credential: CredentialRef | null;
  upstreamModel: string;
}

/** Ordered attempts for one operation. */
export interface Plan {
  snapshotVersion: number;
  /** Distinct, in the order in which they are to be tried; never empty. More than may be attempted, for those whose quota is used up. */
  candidates: Candidate[];
  /** Who is tried instead when a candidate fails for this reason; empty: nobody, the client is told. */
  instead: { contextWindow: Candidate[]; contentPolicy: Candidate[] };
  /** Gets a copy of the request; null mostly. */
  shadow: Candidate | null;
  /** Of the requested model. */
  hedge: { percentile: number; maxShare: number } | null;
}
