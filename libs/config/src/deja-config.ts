import type { Limits, Preference, ProviderKind, PublicModel, Settings, Strategy } from '@deja/contracts';
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
  /** Without a slash at the end; empty for `simulated`, and where every credential has its own. */
  baseUrl: string;
  apiVersion: string | null;
  /** Which OpenAI-compatible server this is; null: known by its address. */
  server: string | null;
  /** It is not called without a credential: the file lists some, or says by an empty list that they come by the admin API. */
  keyed: boolean;
  /** Empty where the provider needs none, or where they come by the admin API. */
  credentials: CredentialConfig[];
}

export interface CredentialConfig {
  /** `provider/name` */
  id: string;
  name: string;
  value: Secret;
  weight: number;
  limits: Limits;
  /** Where requests with it go in place of the provider's address; without a slash at the end. */
  baseUrl: string | null;
}

/** A public model, named as in the snapshot. It has deployments or candidates, never both. */
export interface ModelConfig {
  name: string;
  strategy: Strategy;
  deployments: DeploymentConfig[];
  fallbacks: string[];
  fallbacksOn?: NonNullable<PublicModel['fallbacksOn']>;
  hedge?: NonNullable<PublicModel['hedge']>;
  /** Absent: true. */
  affinity?: boolean;
  candidates?: string[];
  /** There whenever `candidates` are. */
  prefer?: Preference;
}

export interface DeploymentConfig {
  provider: string;
  upstreamModel: string;
  weight: number;
  priority: number;
  canary?: number;
  shadow?: number;
  region?: string;
  tags?: string[];
}
