import { KEY_ENDPOINTS, type BodyInput, type KeyObject } from '@deja/admin-api';
import { PRIORITIES, type Priority } from '@deja/contracts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { CliFailure, EXIT } from '../failure.ts';
import { applyBudgets, budgetWords, parseBudget, type BudgetChange } from '../notation/budgets.ts';
import { applyLimits, limitWords, parseLimit, type LimitChange } from '../notation/limits.ts';
import { nothingTaken } from '../notation/removal.ts';
import { expiryIn, momentOf, parseSeconds } from '../notation/times.ts';
import { plainText } from '../output/plain-text.ts';
import { minuteOf, NOTHING, orNothing } from '../output/readable.ts';
import { fields, type Column, type Tone } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { oneOf, repeatable, rowsWanted, withExtent, word, type Extent } from './options.ts';
import { NO_SETTINGS, settingsBody, settingsFields, withSettings, type SettingsOptions } from './settings-options.ts';

interface KeyOptions extends SettingsOptions {
  endpoint?: (typeof KEY_ENDPOINTS)[number][];
  allEndpoints?: true;
  network?: string[];
  anyNetwork?: true;
  tag?: [name: string, value: string][];
  untag?: string[];
  perUserLimit?: LimitChange[];
  perUserBudget?: BudgetChange[];
  priority?: Priority;
  expires?: string;
}

type CurrentKey = Pick<KeyObject, 'limits' | 'budgets' | 'cache' | 'validation' | 'tags' | 'per_user'>;

const HELP = `
For example:
  KEY=$(deja keys create "search service" --tenant acme --limit requests_per_minute=60 --budget 50/month)
  deja keys list --tenant acme
  deja keys update <id> --limit requests_per_minute=none --budget 80/month`;

export const keyCommands: Commands = (program, cli) => {
  const keys = program.command('keys').description('client keys').addHelpText('after', HELP);
  const expiry = (text: string): string => expiryIn(text, cli.nowMs());
  const stateNow = (key: KeyObject): string => stateOf(key, cli.nowMs());

  withKeyOptions(keys.command('create <name>').description('make a key; it alone is printed on standard output, once').option('--tenant <id>', 'whose it is; a token of one tenant needs none'), expiry)
    .action(async (name: string, options: KeyOptions & { tenant?: string }) => {
      const { tenant } = options;
      const answer = await cli.api.call('createKey', { body: { name, ...(tenant !== undefined && { tenant }), ...keyBody(options, { ...NO_SETTINGS, tags: {}, per_user: {} }) } });
      await cli.print.secret(answer, ({ key }) => key, (key) => [`Key ${key.id} (${key.name}) of tenant ${key.tenant}. The key itself is shown this once.`]);
    });
  withExtent(keys.command('list').description('keys').option('--tenant <id>', 'of this tenant')).action(async (options: Extent & { tenant?: string }, command: Command) => {
    const pages = cli.api.pages('listKeys', { query: { tenant: options.tenant } }, rowsWanted(options, command));
    await cli.print.list<'listKeys'>(pages, columns(stateNow), 'There are no keys.');
  });
  keys.command('get <id>').description('one key').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('getKey', { path: { id } }), (key) => described(key, cli));
  });
  withKeyOptions(keys.command('update <id>').description('change a key: what is not named stays').option('--name <name>', 'another name'), expiry)
    .action(async (id: string, options: KeyOptions & { name?: string }) => {
      const { name } = options;
      const change = (current: CurrentKey): Partial<BodyInput<'updateKey'>> => ({ ...(name !== undefined && { name }), ...keyBody(options, current) });
      if (Object.keys(options).length === 0) throw new CliFailure(EXIT.usage, 'Say what to change: deja keys update --help has what there is.');
      await cli.print.answer(await cli.api.update('getKey', 'updateKey', id, change), (key) => described(key, cli));
    });
  for (const [verb, disabled] of [['disable', true], ['enable', false]] as const) {
    keys.command(`${verb} <id>`).description(disabled ? 'have a key refused until it is enabled again' : 'have a disabled key taken again').action(async (id: string) => {
      await cli.print.answer(await cli.api.call('updateKey', { path: { id }, body: { disabled } }), (key) => [plainText(`Key ${key.id} (${key.name}) is ${stateNow(key)}.`)]);
    });
  }
  keys.command('rotate <id>').description('give a key a new secret; it alone is printed on standard output, once')
    .option('--grace <duration>', 'how long the former one works: 0, 15m, 24h (1h unless said)', parseSeconds)
    .action(async (id: string, { grace }: { grace?: number }) => {
      const answer = await cli.api.call('rotateKey', { path: { id }, body: grace === undefined ? {} : { grace_s: grace } });
      const until = (key: KeyObject): string => (key.grace_until === null ? 'no more' : `until ${minuteOf(key.grace_until)} UTC`);
      await cli.print.secret(answer, ({ key }) => key, (key) => [`Key ${key.id} (${key.name}) of tenant ${key.tenant}. The former secret works ${until(key)}.`]);
    });
  keys.command('delete <id>').description('revoke a key, everywhere within a second').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('deleteKey', { path: { id } }), () => [`Key ${id} is deleted.`]);
  });
};

function withKeyOptions(command: Command, expiry: (text: string) => string): Command {
  return withSettings(command)
    .addOption(repeatable('--endpoint <name>', 'endpoint that it may use, and no others; again for more', oneOf(KEY_ENDPOINTS), KEY_ENDPOINTS))
    .option('--all-endpoints', 'it may use all endpoints')
    .addOption(repeatable('--network <network>', 'network or address that it may be used from, as 10.0.0.0/8; again for more', word))
    .option('--any-network', 'it may be used from anywhere')
    .addOption(repeatable('--tag <name=value>', 'tag of all its requests; again for more', parseTag))
    .addOption(repeatable('--untag <name>', 'take a tag away', word))
    .addOption(repeatable('--per-user-limit <limit>', 'as --limit, for each of its end users', parseLimit))
    .addOption(repeatable('--per-user-budget <budget>', 'as --budget, for each of its end users', parseBudget))
    .addOption(new Option('--priority <priority>', 'whether its requests are refused after those of others (interactive) or before them (batch) when a gateway has too many').choices(PRIORITIES))
    .option('--expires <moment>', '2026-12-31, 90d from now, or never', expiry);
}

function keyBody(options: KeyOptions, current: CurrentKey): Partial<BodyInput<'updateKey'>> {
  const { endpoint, allEndpoints, network, anyNetwork, tag = [], untag = [], perUserLimit = [], perUserBudget = [], priority, expires } = options;
  const unknown = untag.find((name) => !Object.hasOwn(current.tags, name));
  if (unknown !== undefined) throw nothingTaken(`--untag ${unknown}`, Object.keys(current.tags));
  const kept = Object.entries(current.tags).filter(([name]) => !untag.includes(name));
  const { budgets: userBudgets = [], ...userLimits } = current.per_user;
  const newUserBudgets = applyBudgets(userBudgets, perUserBudget);
  return {
    ...settingsBody(options, current),
    ...(endpoint !== undefined && { endpoints: endpoint }),
    ...(allEndpoints === true && { endpoints: null }),
    ...(network !== undefined && { networks: network }),
    ...(anyNetwork === true && { networks: null }),
    ...(tag.length + untag.length > 0 && { tags: Object.fromEntries([...kept, ...tag]) }),
    ...(perUserLimit.length + perUserBudget.length > 0 && { per_user: { ...applyLimits(userLimits, perUserLimit), ...(newUserBudgets.length > 0 && { budgets: newUserBudgets }) } }),
    ...(priority !== undefined && { priority }),
    ...(expires !== undefined && { expires_at: momentOf(expires) }),
  };
}

function parseTag(text: string): [string, string] {
  const [, name, value] = /^([^=,]+)=([^=,]+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('write a tag as name=value');
  return [name, value];
}

function stateOf({ disabled, expires_at: expires }: KeyObject, nowMs: number): string {
  if (expires !== null && Date.parse(expires) <= nowMs) return 'expired';
  return disabled ? 'disabled' : 'active';
}

const toneOf = (state: string): Tone | null => (state === 'active' ? null : 'red');

const columns = (state: (key: KeyObject) => string): Column<KeyObject>[] => [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'TENANT', cell: ({ tenant }) => tenant },
  { title: 'NAME', cell: ({ name }) => name, shrinks: true },
  { title: 'BEGINS', cell: ({ prefix }) => orNothing(prefix), optional: true },
  { title: 'STATE', cell: state, tone: (key) => toneOf(state(key)) },
  { title: 'EXPIRES (UTC)', cell: ({ expires_at: expires }) => minuteOf(expires), optional: true },
];

function described(key: KeyObject, { print, nowMs }: Cli): string[] {
  const { budgets = [], ...userLimits } = key.per_user;
  return fields([
    ['id', key.id],
    ['tenant', key.tenant],
    ['name', key.name],
    ['begins', orNothing(key.prefix)],
    ['state', stateOf(key, nowMs())],
    ['expires', key.expires_at === null ? 'never' : `${minuteOf(key.expires_at)} UTC`],
    ['former secret works until', key.grace_until === null ? [] : `${minuteOf(key.grace_until)} UTC`],
    ['endpoints', key.endpoints ?? ['all']],
    ['networks', key.networks ?? ['anywhere']],
    ['priority', key.priority],
    ['tags', Object.entries(key.tags).map(([name, value]) => `${name}=${value}`)],
    ...settingsFields(key),
    ['each user', [...limitWords(userLimits), ...budgets.map(budgetWords)]],
    ['created', key.created_at === null ? NOTHING : `${minuteOf(key.created_at)} UTC`],
    ['updated', key.updated_at === null ? NOTHING : `${minuteOf(key.updated_at)} UTC`],
  ], print.paint);
}
