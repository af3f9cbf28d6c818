export * from './gen-ai.ts';
export * from './logger.ts';
export * from './ops-server.ts';
export * from './telemetry.ts';
