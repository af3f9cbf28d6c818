import type { BodyInput } from '@deja/admin-api';
import { ALERT_LABELS, ALERT_METRICS, type AlertCondition, type AlertLabel } from '@deja/contracts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { parse } from 'yaml';
import { z } from 'zod';
import { CliFailure, EXIT } from '../failure.ts';
import { changedCondition, orUsual, parsePercentile, parseThreshold, parseWhole, type ConditionOptions } from '../notation/alert-conditions.ts';
import { parseSeconds } from '../notation/times.ts';
import type { Input } from '../secret-input.ts';
import { repeatable, word } from './options.ts';

export interface RuleOptions extends ConditionOptions {
  name?: string;
  webhook?: string[];
  webhookSecretFile?: string;
  slack?: string[];
  email?: string[];
  groupBy?: AlertLabel[];
  repeat?: number | typeof ONCE;
  file?: string;
}
type RuleBody = Partial<BodyInput<'createAlert'>>;
type Receivers = NonNullable<RuleBody['notify']>;

const ONCE = 'never';
const ASKED = '-';

/** What a rule can be told. What comes behind the host of a receiver's address may be a secret, and an argument is seen by every process of the machine. */
export function withRuleOptions(command: Command): Command {
  const seconds = orUsual(parseSeconds);
  return command
    .addOption(new Option('--metric <metric>', 'what is watched').choices(ALERT_METRICS))
    .option('--above <value>', 'its threshold: 4000, a share as 0.8 or 80%', orUsual(parseThreshold))
    .option('--percentile <percentile>', 'of latency_ms: 95', orUsual(parsePercentile))
    .option('--window <duration>', 'how far back is looked: 5m', seconds)
    .option('--min-requests <count>', 'fewer in the window say nothing', orUsual(parseWhole))
    .option('--for <duration>', 'how long it must hold before it is told: 1m', seconds)
    .option('--clear <duration>', 'how long it must be over before that is told: 5m', seconds)
    .addOption(new Option('--tenant <id>', "of this tenant, or of each by itself: '*'").conflicts('allTenants'))
    .option('--all-tenants', 'of all tenants together')
    .addOption(new Option('--key <id>', "of this key, or of each by itself: '*'").conflicts('allKeys'))
    .option('--all-keys', 'of all keys together')
    .addOption(new Option('--model <name>', "of this model, or of each by itself: '*'").conflicts('allModels'))
    .option('--all-models', 'of all models together')
    .addOption(repeatable('--webhook <address>', 'who is told, by a POST; - asks for the address; again for more', word))
    .option('--webhook-secret-file <file>', 'file with the secret that signs what webhooks get; - asks for it, or reads standard input')
    .addOption(repeatable('--slack <address>', 'who is told, as an incoming webhook of Slack; - asks for the address; again for more', word))
    .addOption(repeatable('--email <address>', 'who is told, by e-mail; again for more', word))
    .option('--group-by <labels>', `alerts alike in these are told together: ${ALERT_LABELS.join(', ')}, with commas between, or none`, parseLabels)
    .option('--repeat <duration>', 'tell it again after so long as it fires: 4h, or never', parseRepeat)
    .option('--file <file>', 'the rule as JSON or YAML, as the API has it; - is standard input; options go before it');
}

/**
 * What options and file say of a rule, as the API takes it: the condition as a whole, over `current`'s. Receivers that are named are all that there are then, as
 * nobody can see those that there were. Throws a CliFailure.
 */
export async function ruleReader(options: RuleOptions, input: Input): Promise<(current?: AlertCondition) => RuleBody> {
  const { name, file, groupBy, repeat } = options;
  const written = file === undefined ? {} : ruleIn(file, await input.text(file));
  const notify = await receivers(options, input);
  return (current) => {
    const when = changedCondition(written.when ?? current, options);
    return {
      ...written,
      ...(name !== undefined && { name }),
      ...(when !== undefined && hasCondition(options, written) && { when }),
      ...(notify.length > 0 && { notify }),
      ...(groupBy !== undefined && { group_by: groupBy }),
      ...(repeat !== undefined && { repeat_s: repeat === ONCE ? null : repeat }),
    };
  };
}

const CONDITION: (keyof ConditionOptions)[] = ['metric', 'above', 'percentile', 'window', 'minRequests', 'for', 'clear', 'tenant', 'allTenants', 'key', 'allKeys', 'model', 'allModels'];
const hasCondition = (options: RuleOptions, written: RuleBody): boolean => written.when !== undefined || CONDITION.some((name) => options[name] !== undefined);

async function receivers({ webhook = [], webhookSecretFile, slack = [], email = [] }: RuleOptions, input: Input): Promise<Receivers> {
  if (webhookSecretFile !== undefined && webhook.length === 0) throw new CliFailure(EXIT.usage, 'A secret signs what a webhook gets: name it with --webhook.');
  const addresses = async (given: string[], prompt: string): Promise<string[]> => {
    const all: string[] = [];
    for (const address of given) all.push(address === ASKED ? await input.secret(prompt) : address); // one after another: each may be asked for
    return all;
  };
  const webhooks = await addresses(webhook, 'Address of the webhook: ');
  const secret = webhookSecretFile === undefined ? null : await secretIn(webhookSecretFile, input);
  const slacks = await addresses(slack, 'Address of the Slack webhook: ');
  return [...webhooks.map((address) => ({ webhook: address, ...(secret !== null && { secret }) })), ...slacks.map((address) => ({ slack: address })), ...(email.length > 0 ? [{ email }] : [])];
}

async function secretIn(file: string, input: Input): Promise<string> {
  if (file === ASKED) return input.secret('Secret of the webhook: ');
  const secret = (await input.text(file)).replace(/\r?\n$/, '');
  if (secret === '') throw new CliFailure(EXIT.usage, `${file} holds no secret.`);
  return secret;
}

/** The API says what is wrong with its members. */
function ruleIn(file: string, text: string): RuleBody {
  try {
    return z.record(z.string(), z.unknown()).parse(parsed(text)) as RuleBody;
  } catch {
    throw new CliFailure(EXIT.usage, `${file} holds no alert rule: write one as JSON or YAML, as {"name": "slow", "when": {"metric": "latency_ms", "above": 4000}, "notify": [{"email": "ops@example.com"}]}.`);
  }
}

/** Not all JSON is YAML: its indentation may be tabs. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return parse(text) as unknown;
  }
}

function parseLabels(text: string): AlertLabel[] {
  if (text === 'none') return [];
  return text.split(',').map((part) => {
    const label = ALERT_LABELS.find((known) => known === part.trim());
    if (label === undefined) throw new InvalidArgumentError(`write some of ${ALERT_LABELS.join(', ')}, with commas between, or none`);
    return label;
  });
}

const parseRepeat = (text: string): number | typeof ONCE => (text === ONCE ? ONCE : parseSeconds(text));
