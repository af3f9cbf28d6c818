export * from './capability-of.ts';
export * from './cost.ts';
export type { CostKind } from './cost-parts.ts';
export * from './model-facts.ts';
export type { UpstreamModel } from './model-lists.ts';
export type { Modality } from './model-rows.ts';
export * from './price-of.ts';
export { PRICE_TABLE_VERSION } from './price-table.ts';
