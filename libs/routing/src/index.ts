export { explainRequest, type ExplainedReason, type ExplainedRole, type Explanation } from './explain.ts';
export { UNMET_NEEDS, type Ability, type AbilityFacts, type PlanMoment, type PlanNeed, type PlanRefusal, type PlanResult, type UnmetNeed } from './need.ts';
export { planRequest } from './plan.ts';
export { chooses, resolveModelName, type ResolvedModel } from './snapshot-index.ts';
export type { Demotion } from './standing.ts';
export * from './view.ts';
