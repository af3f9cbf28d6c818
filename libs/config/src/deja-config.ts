import type { Limits, ProviderKind, Settings, Strategy } from '@deja/contracts';
import type { Secret } from './secret.ts';

/** deja.yaml and what the environment adds to it: checked, complete, with values of credentials resolved. */
export interface DejaConfig {
  providers: ProviderConfig[];
  models: ModelConfig[];
  settings: Settings;
}

export interface ProviderConfig {
  name: string;
  kind: ProviderKind;
  /** Without a slash at the end; empty for `simulated`. */
  baseUrl: string;
  apiVersion: string | null;
  /** Which OpenAI-compatible server this is; null: known by its address. */
  server: string | null;
  /** Empty where the provider needs none. */
  credentials: CredentialConfig[];
}

export interface CredentialConfig {
  /** `provider/name` */
  id: string;
  name: string;
  value: Secret;
  weight: number;
  limits: Limits;
}

export interface ModelConfig {
  name: string;
  strategy: Strategy;
  deployments: { provider: string; upstreamModel: string; weight: number; priority: number }[];
  fallbacks: string[];
}
