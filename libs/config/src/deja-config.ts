import type { AlertReceiver, AlertRule, Limits, ModelDeployment, ProviderKind, PublicModel, Settings } from '@deja/contracts';
import type { Secret } from './secret.ts';

/** deja.yaml and what the environment adds to it: checked, complete, with values of credentials resolved. */
export interface DejaConfig {
  providers: ProviderConfig[];
  models: ModelConfig[];
  settings: Settings;
  alerts: AlertConfig[];
  /** JSON of Smtp; null: no e-mail is sent. */
  smtp: Secret | null;
}

/** A rule of the file, and whom it tells. */
export interface AlertConfig {
  rule: AlertRule;
  /** JSON of AlertReceiver. */
  receivers: { kind: AlertReceiver['kind']; value: Secret }[];
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

/** A public model as in the snapshot. It has deployments or candidates, never both; `prefer` is there whenever `candidates` are. */
export type ModelConfig = Omit<PublicModel, 'deployments'> & { deployments: DeploymentConfig[] };

/** A deployment's part in it, by the provider of the file and the provider's name of the model. */
export type DeploymentConfig = Omit<ModelDeployment, 'id'> & { provider: string; upstreamModel: string };
