import { DejaError, type Deployment, type Plan, type RoutingSnapshot } from '@deja/contracts';
import { capabilityOf, expectedCostNanoUsd, modelFacts, priceOf } from '@deja/pricing';
import { explainRequest, planRequest, type Explanation, type PlanMoment, type PlanNeed, type PlanRefusal } from '@deja/routing';
import type { Ability, Requirements } from './needs.ts';
import type { OwnView } from './own-view.ts';
import { ServedPrefixes } from './served-prefixes.ts';

/** Output that is expected where a client allows more, or says nothing: candidates are compared by it, nobody is billed. */
const EXPECTED_OUTPUT_TOKENS = 500;

/** Why a candidate cannot be put a question, as the client would be told. */
export interface Unsuited {
  param: string | null;
  message: string;
}

/** What is to be planned. */
export interface Wanted {
  /** The name the client sent. */
  model: string;
  tenant: string | null;
  promptTokens: number;
  /** null: the client did not bound it. */
  maxOutputTokens?: number | null;
  /** The member in which the prompt stands, and the one that bounds the output, for what the client is told. */
  promptParam?: string;
  outputParam?: string | null;
  abilities?: readonly Ability[];
  affinityKey?: string | null;
  requires?: Requirements | undefined;
  pin?: PlanNeed['pin'] | null;
  unsuited?: (deployment: Deployment, upstreamModel: string) => Unsuited | null;
  /** Least attempts there is a use for; `retries.max_attempts` unless given. */
  maxAttempts?: number;
}

/** Step 5: who is asked, in which order. No call: from the router's last snapshot and what this gateway has seen itself. */
export class Planner {
  constructor(
    private readonly view: OwnView,
    private readonly prefixes: ServedPrefixes = new ServedPrefixes(),
  ) {}

  /** Throws the DejaError for a request that nobody can take. */
  plan(snapshot: RoutingSnapshot, wanted: Wanted): Plan {
    let why: Unsuited | null = null;
    const unsuited: Wanted['unsuited'] = (deployment, upstreamModel) => {
      const found = wanted.unsuited?.(deployment, upstreamModel) ?? null;
      why ??= found;
      return found;
    };
    const nowMs = Date.now();
    const planned = planRequest(snapshot, this.need(snapshot, { ...wanted, unsuited }, nowMs), this.moment(snapshot, wanted, nowMs));
    if ('plan' in planned) return planned.plan;
    throw refusal(planned, snapshot, wanted, why);
  }

  /** Every candidate, in the order of the plan, or with the reason why it is left out. Empty where there is no such model. */
  explain(snapshot: RoutingSnapshot, wanted: Wanted): Explanation[] {
    const nowMs = Date.now();
    return explainRequest(snapshot, this.need(snapshot, wanted, nowMs), this.moment(snapshot, wanted, nowMs));
  }

  /** Where a conversation was answered, for what its next turn is expected to cost there. */
  served(affinityKey: string | null, deployment: string, promptTokens: number): void {
    if (affinityKey !== null) this.prefixes.remember(affinityKey, deployment, promptTokens, Date.now());
  }

  private moment({ settings }: RoutingSnapshot, { maxAttempts }: Wanted, nowMs: number): PlanMoment {
    return { nowMs, random: Math.random, maxAttempts: maxAttempts ?? settings.retries.max_attempts, view: this.view.forPlan(nowMs) };
  }

  private need({ settings }: RoutingSnapshot, wanted: Wanted, nowMs: number): PlanNeed {
    const { promptTokens, maxOutputTokens = null, affinityKey = null, unsuited } = wanted;
    const outputTokens = Math.min(maxOutputTokens ?? EXPECTED_OUTPUT_TOKENS, EXPECTED_OUTPUT_TOKENS);
    const named = (deployment: Deployment, upstreamModel: string) => ({ provider: deployment.provider, kind: deployment.kind, upstreamModel });
    return {
      model: wanted.model,
      tenant: wanted.tenant,
      affinityKey,
      ...(wanted.abilities && { abilities: wanted.abilities }),
      ...(wanted.requires && { requires: wanted.requires }),
      ...(wanted.pin && { pin: wanted.pin }),
      ...(unsuited && { suits: (deployment, upstreamModel) => unsuited(deployment, upstreamModel) === null }),
      fits: (deployment, upstreamModel) => {
        const facts = modelFacts(named(deployment, upstreamModel));
        if (facts?.contextTokens != null && promptTokens >= facts.contextTokens) return 'window';
        return facts?.maxOutputTokens != null && maxOutputTokens !== null && maxOutputTokens > facts.maxOutputTokens ? 'output' : 'fits';
      },
      factsOf: (deployment, upstreamModel) => modelFacts(named(deployment, upstreamModel)),
      costOf: (deployment, upstreamModel) => {
        const price = priceOf({ ...named(deployment, upstreamModel), overrides: settings.prices, atMs: nowMs });
        const cachedTokens = this.prefixes.cachedTokens(affinityKey, deployment.id, promptTokens, nowMs);
        return expectedCostNanoUsd({ price, promptTokens, cachedTokens, outputTokens });
      },
      capabilityOf: (deployment, upstreamModel) => capabilityOf({ ...named(deployment, upstreamModel), overrides: settings.capability }),
    };
  }
}

/** The refusal as the client is told of it. */
function refusal(planned: PlanRefusal, snapshot: RoutingSnapshot, wanted: Wanted, why: Unsuited | null): DejaError {
  const { model } = wanted;
  switch (planned.refused) {
    case 'model_not_found':
      return new DejaError('model_not_found', `The model '${model}' does not exist.`, { param: 'model' });
    case 'no_suitable_deployment':
      return unsuitable(planned.unmet, snapshot, wanted, why);
    case 'no_deployment_available': {
      const wait = { retryAfterMs: planned.retryAfterMs ?? 1000 };
      if (planned.reason === 'rate_limited') return new DejaError('provider_rate_limited', 'Every provider that could serve this request is rate-limited.', wait);
      return new DejaError('no_deployment_available', 'No deployment can take this request at the moment.', wait);
    }
  }
}

type Unmet = Extract<PlanRefusal, { refused: 'no_suitable_deployment' }>['unmet'];

function unsuitable(unmet: Unmet, snapshot: RoutingSnapshot, wanted: Wanted, why: Unsuited | null): DejaError {
  const { model } = wanted;
  switch (unmet) {
    case 'suits':
      if (why !== null) return new DejaError('invalid_value', why.message, why.param === null ? {} : { param: why.param });
      return new DejaError('invalid_value', `The model '${model}' cannot serve this request.`, { param: 'model' });
    case 'pin':
      return new DejaError('invalid_value', `The model '${model}' is not served by the provider that holds what this request refers to.`, { param: 'model' });
    case 'requires':
      return new DejaError('invalid_value', `No deployment of the model '${model}' is what 'x-deja-require' asks for.`, { param: 'x-deja-require' });
    case 'abilities':
      return new DejaError('invalid_value', `None of the models behind '${model}' can do what this request needs: ${(wanted.abilities ?? []).join(', ')}.`, { param: 'model' });
    case 'window': {
      const window = widestWindow(snapshot, model);
      const end = window === null ? '' : `; the model's context window ends at ${window}`;
      return new DejaError('context_length_exceeded', `The prompt has about ${wanted.promptTokens} tokens${end}.`, { param: wanted.promptParam ?? 'messages' });
    }
    case 'output':
      return new DejaError('invalid_value', `${wanted.maxOutputTokens ?? 0} output tokens were asked for, more than any of the models behind '${model}' gives.`, { param: wanted.outputParam ?? 'model' });
  }
}

/** The widest context window among everything that may serve this name; null when nobody knows one. */
function widestWindow(snapshot: RoutingSnapshot, model: string): number | null {
  const windows = explainRequest(snapshot, { model }, { nowMs: 0, random: () => 0, maxAttempts: 1 }).flatMap(({ deployment: id }) => {
    const deployment = snapshot.deployments.find((d) => d.id === id);
    if (deployment === undefined) return [];
    const upstreamModel = deployment.upstreamModel === '*' ? model : deployment.upstreamModel;
    return modelFacts({ provider: deployment.provider, kind: deployment.kind, upstreamModel })?.contextTokens ?? [];
  });
  return windows.length === 0 ? null : Math.max(...windows);
}
