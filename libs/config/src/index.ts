export { ConfigError, DEFAULT_OPS_PORT, readEnvironment, type Environment, type LogLevel } from './environment.ts';
export { MASK, Secret } from './secret.ts';
