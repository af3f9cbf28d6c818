export * from './errors.ts';
export * from './ids.ts';
export * from './money.ts';
export * from './push.ts';
export * from './redis-keys.ts';
export * from './rpc.ts';
export * from './snapshot.ts';
export * from './usage.ts';
