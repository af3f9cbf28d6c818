export { planRequest, type PlanMoment, type PlanNeed, type PlanResult } from './plan.ts';
export { weightedOrder } from './weighted-order.ts';
