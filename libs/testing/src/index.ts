export * from './cluster-database.ts';
export * from './cluster.ts';
export * from './fake-provider.ts';
