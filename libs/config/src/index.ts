export { boughtEmbedder, type BoughtEmbedder } from './bought-embedder.ts';
export type { AlertConfig, CredentialConfig, DejaConfig, DeploymentConfig, ModelConfig, ProviderConfig } from './deja-config.ts';
export { ConfigError, DEFAULT_OPS_PORT, readEnvironment, type Environment, type LogLevel } from './environment.ts';
export { inAny, ipBytes, networkOf, networks } from './ip-address.ts';
export { addressProblem, isAllowedHost, isForbiddenIp, outboundRule, type OutboundRule } from './outbound.ts';
export { parseConfig, type ParsedConfig } from './parse-config.ts';
export { MASK, Secret } from './secret.ts';
export type { ConfigProblem } from './yaml-source.ts';
