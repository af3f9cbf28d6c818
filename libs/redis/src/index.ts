export * from './open-redis.ts';
export type { OutageLogger } from './outages.ts';
export * from './script.ts';
