export * from './in-transaction.ts';
export * from './migrate.ts';
export * from './pool.ts';
export * from './trouble.ts';
