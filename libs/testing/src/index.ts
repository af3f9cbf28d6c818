export * from './cluster-database.ts';
export * from './cluster.ts';
export * from './fake-provider.ts';
export * from './eventually.ts';
export * from './redis-process.ts';
export * from './tcp-path.ts';
export * from './recordings.ts';
export * from './openai-schemas.ts';
