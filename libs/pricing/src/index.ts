export * from './cost.ts';
export * from './price-of.ts';
export { PRICE_TABLE_VERSION } from './price-table.ts';
