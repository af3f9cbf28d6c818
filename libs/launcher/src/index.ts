export * from './find-redis.ts';
export * from './launcher-error.ts';
export * from './poll.ts';
export * from './port.ts';
export * from './postgres-server.ts';
export * from './redis-server.ts';
export * from './supervised-process.ts';
