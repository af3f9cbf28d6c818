import type { Commands } from '../cli.ts';
import { alertCommands } from './alerts.ts';
import { budgetCommands } from './budgets.ts';
import { cacheCommands } from './cache.ts';
import { completionCommand } from './completion.ts';
import { configCommands } from './config.ts';
import { credentialCommands, vaultCommands } from './credentials.ts';
import { deploymentCommands, planCommands } from './deployments.ts';
import { jobCommands } from './jobs.ts';
import { keyCommands } from './keys.ts';
import { ledgerCommands } from './ledger.ts';
import { requestCommands } from './requests.ts';
import { tenantCommands } from './tenants.ts';
import { auditCommands, tokenCommands } from './tokens.ts';
import { usageCommands } from './usage.ts';
import { userCommands } from './users.ts';

const ALL: Commands[] = [
  tenantCommands, keyCommands, usageCommands, requestCommands, userCommands, ledgerCommands, jobCommands, budgetCommands, alertCommands, credentialCommands, vaultCommands, deploymentCommands, planCommands,
  cacheCommands, configCommands, tokenCommands, auditCommands, completionCommand,
];

/** The whole tree, in the order of the help. */
export const addCommands: Commands = (program, cli) => {
  for (const add of ALL) add(program, cli);
};
