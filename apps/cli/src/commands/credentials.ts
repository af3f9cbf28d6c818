import type { BodyInput, CredentialObject } from '@deja/admin-api';
import { InvalidArgumentError, type Command } from 'commander';
import { CliFailure, EXIT } from '../failure.ts';
import { applyLimits, limitWords, MEASURES, parseLimit, type LimitChange } from '../notation/limits.ts';
import { parseSeconds } from '../notation/times.ts';
import { minuteOf, orNothing } from '../output/readable.ts';
import { fields, type Column, type Tone } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { repeatable, rowsWanted, withExtent, type Extent } from './options.ts';

interface CredentialOptions {
  weight?: number;
  limit?: LimitChange[];
}
type Limits = CredentialObject['limits'];

const FROM_STDIN = 'The value is asked for, or read from standard input; it is never an argument, which every process of a machine can see.';

export const credentialCommands: Commands = (program, cli) => {
  const credentials = program.command('credentials').description("credentials of providers, kept encrypted; deja.yaml's are listed, too");
  const said = (credential: CredentialObject): string[] => described(credential, cli);

  withCredentialOptions(credentials.command('create <provider> <name>').description(`keep a credential. ${FROM_STDIN}`))
    .option('--tenant <id>', "for this tenant's requests alone")
    .option('--base-url <url>', "where its requests go in place of the provider's address")
    .action(async (provider: string, name: string, options: CredentialOptions & { tenant?: string; baseUrl?: string }) => {
      const { tenant, baseUrl } = options;
      const change = credentialBody(options, {});
      const value = await cli.input.secret(`Value of ${provider}/${name}: `);
      const body: BodyInput<'createCredential'> = { provider, name, value, ...change, ...(tenant !== undefined && { tenant }), ...(baseUrl !== undefined && { base_url: baseUrl }) };
      await cli.print.answer(await cli.api.call('createCredential', { body }), said);
    });
  withExtent(credentials.command('list').description('credentials')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listCredentials'>(cli.api.pages('listCredentials', {}, rowsWanted(options, command)), COLUMNS, 'There are no credentials.');
  });
  credentials.command('get <id>').description('one credential, without its value').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('getCredential', { path: { id } }), said);
  });
  withCredentialOptions(credentials.command('update <id>').description('change a credential: what is not named stays')).action(async (id: string, options: CredentialOptions) => {
    if (Object.keys(options).length === 0) throw new CliFailure(EXIT.usage, 'Say what to change: deja credentials update --help has what there is.');
    await cli.print.answer(await cli.api.update('getCredential', 'updateCredential', id, ({ limits }) => credentialBody(options, limits)), said);
  });
  for (const [verb, disabled] of [['disable', true], ['enable', false]] as const) {
    credentials.command(`${verb} <id>`).description(disabled ? 'use it for no request until it is enabled again' : 'use a disabled one again').action(async (id: string) => {
      const answer = await cli.api.call('updateCredential', { path: { id }, body: { disabled } });
      await cli.print.answer(answer, (credential) => [`Credential ${credential.provider}/${credential.name} is ${stateOf(credential)}.`]);
    });
  }
  credentials.command('rotate <id>').description(`give it a new value. ${FROM_STDIN}`)
    .option('--grace <duration>', 'how long the former value stays a fallback: 0, 15m, 24h (1h unless said)', parseSeconds)
    .action(async (id: string, { grace }: { grace?: number }) => {
      const value = await cli.input.secret('New value: ');
      await cli.print.answer(await cli.api.call('rotateCredential', { path: { id }, body: { value, ...(grace !== undefined && { grace_s: grace }) } }), said);
    });
  credentials.command('delete <id>').description('destroy a credential').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('deleteCredential', { path: { id } }), () => [`Credential ${id} is deleted.`]);
  });
};

export const vaultCommands: Commands = (program, cli) => {
  program.command('vault').description('what encrypts stored credentials').command('rewrap').description('move stored credentials to the current master key').action(async () => {
    await cli.print.answer(await cli.api.call('rewrapVault'), (state) => [
      `${state.rewrapped} moved to master key ${state.current_key}, ${state.remaining} remain${state.remaining > 0 ? ': run it again' : ''}.`,
      ...state.failed.map(({ id, reason }) => `${id} cannot be moved: ${reason}`),
    ]);
  });
};

const withCredentialOptions = (command: Command): Command => command
  .option('--weight <number>', 'share of the requests; 0: only when all others are out', parseWeight)
  .addOption(repeatable('--limit <limit>', 'requests_per_minute=500, tokens_per_day=2M, concurrency=none; again for more', parseOwnLimit));

const credentialBody = ({ weight, limit }: CredentialOptions, current: Limits): { weight?: number; limits?: Limits } => ({
  ...(weight !== undefined && { weight }),
  ...(limit !== undefined && { limits: applyLimits(current, limit) }),
});

function parseWeight(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('write a number from 0 on');
  return Number(text);
}

/** A credential's limits have no models, and do not degrade. */
function parseOwnLimit(text: string): LimitChange {
  const change = parseLimit(text);
  if ('degraded' in change || change.model !== null) throw new InvalidArgumentError(`a credential can be limited as a whole only: ${MEASURES.join(', ')}`);
  return change;
}

function stateOf({ disabled, health, trouble, unavailable_until: until }: CredentialObject): string {
  if (disabled) return 'disabled';
  return healthWords(health, trouble, until);
}

/** `out (rate_limited) until 12:05` */
export const healthWords = (health: string, trouble: string | null, until: string | null): string =>
  `${health}${trouble === null ? '' : ` (${trouble})`}${until === null ? '' : ` until ${minuteOf(until)}`}`;

export const healthTone = (health: string): Tone | null => (health === 'healthy' ? null : health === 'out' ? 'red' : 'yellow');

const COLUMNS: Column<CredentialObject>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'CREDENTIAL', cell: ({ provider, name }) => `${provider}/${name}` },
  { title: 'TENANT', cell: ({ tenant }) => orNothing(tenant), optional: true },
  { title: 'FROM', cell: ({ source }) => source },
  { title: 'ENDS', cell: (row) => orNothing(row.last_four) },
  { title: 'WEIGHT', cell: ({ weight }) => String(weight), align: 'right' },
  { title: 'STATE (UTC)', cell: stateOf, tone: ({ disabled, health }) => (disabled ? 'red' : healthTone(health)) },
];

function described(credential: CredentialObject, { print }: Cli): string[] {
  return fields([
    ['id', credential.id],
    ['credential', `${credential.provider}/${credential.name}`],
    ['tenant', orNothing(credential.tenant)],
    ['base URL', credential.base_url ?? []],
    ['from', credential.source === 'file' ? 'deja.yaml' : 'the admin API'],
    ['value ends in', orNothing(credential.last_four)],
    ['state', stateOf(credential)],
    ['weight', String(credential.weight)],
    ['limits', limitWords(credential.limits)],
    ['former value until', credential.grace_until === null ? [] : `${minuteOf(credential.grace_until)} UTC`],
    ['created', credential.created_at === null ? [] : `${minuteOf(credential.created_at)} UTC`],
    ['updated', credential.updated_at === null ? [] : `${minuteOf(credential.updated_at)} UTC`],
  ], print.paint);
}
