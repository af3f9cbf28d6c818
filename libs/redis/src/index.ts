export { isCluster, isUp, nodesOf, onReady, whenReady, type RedisClient } from './client.ts';
export { openRedis, type OpenRedisOptions, type RedisRole } from './open-redis.ts';
export type { OutageLogger } from './outages.ts';
export { gatherWrites, openPipeline, type Pipeline, type PipelineReply } from './pipeline.ts';
export * from './script.ts';
