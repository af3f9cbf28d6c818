import type { Commands } from '../cli.ts';
import { cacheCommands } from './cache.ts';
import { completionCommand } from './completion.ts';
import { configCommands } from './config.ts';
import { credentialCommands, vaultCommands } from './credentials.ts';
import { deploymentCommands, planCommands } from './deployments.ts';
import { keyCommands } from './keys.ts';
import { tenantCommands } from './tenants.ts';
import { auditCommands, tokenCommands } from './tokens.ts';
import { budgetCommands, requestCommands, usageCommands } from './usage.ts';

const ALL: Commands[] = [
  tenantCommands, keyCommands, usageCommands, requestCommands, budgetCommands, credentialCommands, vaultCommands, deploymentCommands, planCommands, cacheCommands, configCommands,
  tokenCommands, auditCommands, completionCommand,
];

/** The whole tree, in the order of the help. */
export const addCommands: Commands = (program, cli) => {
  for (const add of ALL) add(program, cli);
};
