export { BoundedLabel } from './bounded-label.ts';
export * from './gen-ai.ts';
export * from './in-span.ts';
export * from './logger.ts';
export { masked } from './masking.ts';
export { mergedExpositions, type Exposition } from './merged-expositions.ts';
export * from './ops-server.ts';
export * from './telemetry.ts';
