import type { BodyInput, TenantObject } from '@deja/admin-api';
import type { Command } from 'commander';
import { CliFailure, EXIT } from '../failure.ts';
import { minuteOf } from '../output/readable.ts';
import { fields, type Column } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { rowsWanted, withExtent, type Extent } from './options.ts';
import { NO_SETTINGS, settingsBody, settingsFields, withSettings, type SettingsOptions } from './settings-options.ts';

export const tenantCommands: Commands = (program, cli) => {
  const tenants = program.command('tenants').description('tenants: who keys, limits, budgets and stored objects belong to');
  const said = (tenant: TenantObject): string[] => described(tenant, cli);

  const create = tenants.command('create [id]').description('make a tenant').option('--name <name>', 'for people');
  withSettings(create).action(async (id: string | undefined, options: SettingsOptions & { name?: string }) => {
    const { name } = options;
    if (id === undefined && name === undefined) throw new CliFailure(EXIT.usage, 'Give the tenant an id, as acme, or a --name to make one of.');
    const body: BodyInput<'createTenant'> = { ...(id !== undefined && { id }), ...(name !== undefined && { name }), ...settingsBody(options, NO_SETTINGS) };
    await cli.print.answer(await cli.api.call('createTenant', { body }), said);
  });
  withExtent(tenants.command('list').description('tenants')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listTenants'>(cli.api.pages('listTenants', {}, rowsWanted(options, command)), COLUMNS, 'There are no tenants.');
  });
  tenants.command('get <id>').description('one tenant').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('getTenant', { path: { id } }), said);
  });
  const update = tenants.command('update <id>').description('change a tenant: what is not named stays').option('--name <name>', 'another name');
  withSettings(update).action(async (id: string, options: SettingsOptions & { name?: string }) => {
    const { name } = options;
    if (Object.keys(options).length === 0) throw new CliFailure(EXIT.usage, 'Say what to change: deja tenants update --help has what there is.');
    await cli.print.answer(await cli.api.update('getTenant', 'updateTenant', id, (current) => ({ ...(name !== undefined && { name }), ...settingsBody(options, current) })), said);
  });
  for (const [verb, disabled] of [['disable', true], ['enable', false]] as const) {
    tenants.command(`${verb} <id>`).description(disabled ? 'have all its keys refused until it is enabled again' : 'have the keys of a disabled tenant taken again').action(async (id: string) => {
      await cli.print.answer(await cli.api.call('updateTenant', { path: { id }, body: { disabled } }), (tenant) => [`Tenant ${tenant.id} is ${stateOf(tenant)}.`]);
    });
  }
  const remove = tenants.command('delete <id>').description('delete a tenant with its keys and credentials; what it used stays in the ledger').option('--yes', 'without asking');
  remove.action(async (id: string, { yes }: { yes?: true }) => {
    if (yes !== true) await cli.input.confirmed(`Delete tenant ${id} with all its keys, credentials and captured bodies?`);
    await cli.print.answer(await cli.api.call('deleteTenant', { path: { id } }), () => [`Tenant ${id} is deleted.`]);
  });
  tenants.command('shred <id>').description('make all captured bodies of a tenant unreadable for good, by destroying their keys; figures stay').option('--yes', 'without asking')
    .action(async (id: string, { yes }: { yes?: true }) => {
      if (yes !== true) await cli.input.confirmed(`Make all captured bodies of tenant ${id} unreadable for good?`);
      await cli.print.answer(await cli.api.call('shredBodies', { path: { id } }), ({ keys }) => [
        keys === 0 ? `Nothing of tenant ${id} was kept under a key.` : `${keys} ${keys === 1 ? 'key' : 'keys'} destroyed: what was captured of tenant ${id} until now cannot be read any more.`,
      ]);
    });
};

const stateOf = ({ disabled }: TenantObject): string => (disabled ? 'disabled' : 'active');

const COLUMNS: Column<TenantObject>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name, shrinks: true },
  { title: 'STATE', cell: stateOf, tone: ({ disabled }) => (disabled ? 'red' : null) },
  { title: 'CREATED (UTC)', cell: ({ created_at: created }) => minuteOf(created) },
];

function described(tenant: TenantObject, { print }: Cli): string[] {
  return fields([
    ['id', tenant.id],
    ['name', tenant.name],
    ['state', stateOf(tenant)],
    ...settingsFields(tenant),
    ['created', `${minuteOf(tenant.created_at)} UTC`],
    ['updated', `${minuteOf(tenant.updated_at)} UTC`],
  ], print.paint);
}
