export * from './open-redis.ts';
export * from './script.ts';
