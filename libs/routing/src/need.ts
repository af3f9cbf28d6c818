import type { Deployment, Plan } from '@deja/contracts';
import type { Part } from './snapshot-index.ts';
import type { RoutingView } from './view.ts';

/** What a model must be able to do for a request. */
export type Ability = 'tools' | 'vision' | 'audio' | 'json_schema' | 'reasoning';

/** What is known of a model's abilities. `input`: `text`, `image`, `audio`, … */
export interface AbilityFacts {
  reasoning: boolean;
  toolCall: boolean;
  structuredOutput: boolean;
  input: readonly string[];
}

type Ask<T> = (deployment: Deployment, upstreamModel: string) => T;

/** What one request asks of whoever serves it. */
export interface PlanNeed {
  /** The name the client sent. */
  model: string;
  /** Whether a deployment can serve this request at all; all can unless given. Need not be asked of every deployment. */
  suits?: Ask<boolean>;
  /** Only this provider's account has what the request names (a stored object). The credential is null where it is of no account, or gone. */
  pin?: { provider: string; credential: string | null };
  /** Whose request it is: the tenant's own credentials of a provider go in place of everyone's. */
  tenant?: string | null;
  /** Requests of the same key go to the same deployment while it is there, for the provider's prompt cache. */
  affinityKey?: string | null;
  /** Only deployments of this region, and with all of these tags. */
  requires?: { region?: string; tags?: readonly string[] };
  /** A model that chooses among others leaves out those that lack one of these; a model asked for by name is taken at its name. */
  abilities?: ReadonlySet<Ability> | readonly Ability[];
  /** Whether the prompt fits the context window, and the wanted answer the most a model writes. The latter matters only to a model that chooses. */
  fits?: Ask<'fits' | 'window' | 'output'>;
  /** What this request is expected to cost there, nano-USD; null when no price is known. */
  costOf?: Ask<number | null>;
  /** Rank, higher is more capable; null when unknown. */
  capabilityOf?: Ask<number | null>;
  /** Null when nothing is known: such a one is not left out, but comes after those that are known to be able. */
  factsOf?: Ask<AbilityFacts | null>;
}

export interface PlanMoment {
  nowMs: number;
  /** Uniform in [0, 1). The same sequence gives the same plan. */
  random: () => number;
  /** At least 1. */
  maxAttempts: number;
  /** What this gateway saw itself since the snapshot was made. */
  view?: RoutingView;
}

/** The needs a deployment can fail to meet, in the order in which they are checked. */
export const UNMET_NEEDS = ['pin', 'requires', 'suits', 'abilities', 'window', 'output'] as const;
export type UnmetNeed = (typeof UNMET_NEEDS)[number];

export type PlanRefusal =
  | { refused: 'model_not_found'; retryAfterMs: null }
  /** No deployment meets every need; `unmet` is where the one that came furthest fails. */
  | { refused: 'no_suitable_deployment'; unmet: UnmetNeed; retryAfterMs: null }
  | {
      refused: 'no_deployment_available';
      /** `rate_limited`: there are credentials that work, and all of them only wait for a provider's limit or account. */
      reason: 'rate_limited' | 'unavailable';
      /** Until the first one is usable again; null when waiting does not help. */
      retryAfterMs: number | null;
    };

export type PlanResult = { plan: Plan } | PlanRefusal;

/** The first need this deployment does not meet; null: it suits. `choosing`: on behalf of a model that chooses by need. */
export function unmetNeed(need: PlanNeed, part: Part, upstreamModel: string, choosing: boolean): UnmetNeed | null {
  const { deployment } = part;
  if (need.pin !== undefined && need.pin.provider !== deployment.provider) return 'pin';
  if (need.requires !== undefined && !meets(need.requires, part)) return 'requires';
  if (need.suits !== undefined && !need.suits(deployment, upstreamModel)) return 'suits';
  if (choosing && isUnable(need, deployment, upstreamModel)) return 'abilities';
  const fits = need.fits?.(deployment, upstreamModel) ?? 'fits';
  if (fits === 'window') return 'window';
  return fits === 'output' && choosing ? 'output' : null;
}

/** Whether what the request asks for is known of this model, or nothing is asked for. */
export function abilitiesKnown(need: PlanNeed, deployment: Deployment, upstreamModel: string): boolean {
  return !asksForAbilities(need) || (need.factsOf?.(deployment, upstreamModel) ?? null) !== null;
}

function isUnable(need: PlanNeed, deployment: Deployment, upstreamModel: string): boolean {
  if (!asksForAbilities(need)) return false;
  const facts = need.factsOf?.(deployment, upstreamModel) ?? null;
  if (facts === null) return false;
  for (const ability of need.abilities ?? []) if (!has(facts, ability)) return true;
  return false;
}

function asksForAbilities({ abilities }: PlanNeed): boolean {
  return abilities !== undefined && ('size' in abilities ? abilities.size : abilities.length) > 0;
}

function has(facts: AbilityFacts, ability: Ability): boolean {
  switch (ability) {
    case 'tools':
      return facts.toolCall;
    case 'json_schema':
      return facts.structuredOutput;
    case 'reasoning':
      return facts.reasoning;
    case 'vision':
      return facts.input.includes('image');
    case 'audio':
      return facts.input.includes('audio');
  }
}

function meets({ region, tags }: NonNullable<PlanNeed['requires']>, part: Part): boolean {
  return (region === undefined || part.region === region) && (tags ?? []).every((tag) => part.tags.includes(tag));
}
