import { CAPTURE_MODES, type CaptureMode } from '@deja/contracts';
import { Option, type Command } from 'commander';
import type { BodyInput, TenantObject } from '@deja/admin-api';
import { applyBudgets, budgetWords, parseBudget, type BudgetChange } from '../notation/budgets.ts';
import { applyLimits, limitWords, parseLimit, type LimitChange } from '../notation/limits.ts';
import { cacheWords, parseCache, parseValidation, validationWords, type CachePolicy, type Change, type Validation } from '../notation/policies.ts';
import { repeatable, word } from './options.ts';

/** What tenants and keys both can be told. */
export interface SettingsOptions {
  model?: string[];
  allModels?: true;
  limit?: LimitChange[];
  budget?: BudgetChange[];
  cache?: Change<CachePolicy>[];
  validation?: Change<Validation>[];
  capture?: CaptureMode | typeof INHERITED;
}
/** What is above says it: for a tenant deja.yaml, for a key its tenant. */
const INHERITED = 'default';
type Settings = Pick<TenantObject, 'limits' | 'budgets' | 'cache' | 'validation'>;
type SettingsBody = Pick<BodyInput<'updateTenant'>, 'models' | 'limits' | 'budgets' | 'cache' | 'validation' | 'capture'>;

/** Those of what was just made. */
export const NO_SETTINGS: Settings = { limits: {}, budgets: [], cache: {}, validation: {} };

export function withSettings(command: Command): Command {
  return command
    .addOption(repeatable('--model <name>', 'public model that it may use, and no others; again for more', word))
    .option('--all-models', 'it may use all models')
    .addOption(repeatable('--limit <limit>', 'what it may do: requests_per_minute=60, gpt-4o:tokens_per_day=100k, degraded=closed; concurrency=none takes one away; again for more', parseLimit))
    .addOption(repeatable('--budget <budget>', 'US dollars in a period: 50/month, 5/day,soft,zone=Europe/Zurich,model=gpt-4o; none/month takes all of the month away; again for more', parseBudget))
    .addOption(repeatable('--cache <policy>', 'how its answers are cached: scope=user, exact=off, exact_ttl=1h, semantic_ttl=default; again for more', parseCache))
    .addOption(repeatable('--validation <bound>', 'how large its requests may be: max_input_tokens=8000, max_output_tokens=1000, over_output=clamp, max_messages=default; again for more', parseValidation))
    .addOption(new Option('--capture <mode>', 'what the request log keeps of its bodies: nothing, their shape, all, or what deja.yaml (of a key, its tenant) says').choices([...CAPTURE_MODES, INHERITED]));
}

/** The members that the options change, each whole, as the API takes them: the rest of each stays as it was. */
export function settingsBody({ model, allModels, limit, budget, cache, validation, capture }: SettingsOptions, current: Settings): SettingsBody {
  return {
    ...(model !== undefined && { models: model }),
    ...(allModels === true && { models: null }),
    ...(limit !== undefined && { limits: applyLimits(current.limits, limit) }),
    ...(budget !== undefined && { budgets: applyBudgets(current.budgets, budget) }),
    ...(cache !== undefined && { cache: cache.reduce((policy, change) => change(policy), current.cache) }),
    ...(validation !== undefined && { validation: validation.reduce((bounds, change) => change(bounds), current.validation) }),
    ...(capture !== undefined && { capture: capture === INHERITED ? null : capture }),
  };
}

/** Lines of a tenant or key. */
export const settingsFields = ({ models, limits, budgets, cache, validation, capture }: Settings & Pick<TenantObject, 'models' | 'capture'>): [string, string[]][] => [
  ['models', models ?? ['all']],
  ['limits', limitWords(limits)],
  ['budgets', budgets.map(budgetWords)],
  ['cache', cacheWords(cache)],
  ['validation', validationWords(validation)],
  ['capture', capture === null ? [] : [capture]],
];
