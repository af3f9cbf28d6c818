import { ROLES, type AdminTokenObject, type AuditEntry, type Role } from '@deja/admin-api';
import { Option, type Command } from 'commander';
import { expiryIn, momentOf } from '../notation/times.ts';
import { minuteOf, orNothing, secondOf } from '../output/readable.ts';
import { fields, type Column } from '../output/table.ts';
import type { Commands } from '../cli.ts';
import { rowsWanted, withExtent, withWindow, type Extent, type Window } from './options.ts';

export const tokenCommands: Commands = (program, cli) => {
  const tokens = program.command('tokens').alias('admin-tokens').description('admin tokens: who may use the admin API besides the root key');
  tokens.command('create <name>').description('make a token; it alone is printed on standard output, once')
    .addOption(new Option('--role <role>', 'what it may do; each role may do all that those before it may').choices(ROLES).makeOptionMandatory())
    .option('--tenant <id>', 'it sees and changes what is of this tenant alone')
    .option('--expires <moment>', '2026-12-31, 90d from now, or never', (text: string) => expiryIn(text, cli.nowMs()))
    .action(async (name: string, { role, tenant, expires }: { role: Role; tenant?: string; expires?: string }) => {
      const answer = await cli.api.call('createAdminToken', { body: { name, role, ...(tenant !== undefined && { tenant }), ...(expires !== undefined && { expires_at: momentOf(expires) }) } });
      await cli.print.secret(answer, ({ token }) => token, ({ id, tenant: whose, ...made }) => [
        `Admin token ${id} (${made.name}), ${made.role} of ${whose === null ? 'everything' : `tenant ${whose}`}. The token itself is shown this once.`,
      ]);
    });
  withExtent(tokens.command('list').description('tokens')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listAdminTokens'>(cli.api.pages('listAdminTokens', {}, rowsWanted(options, command)), TOKEN_COLUMNS, 'There are no admin tokens.');
  });
  tokens.command('get <id>').description('one token').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('getAdminToken', { path: { id } }), (token) => fields([
      ['id', token.id],
      ['name', token.name],
      ['role', token.role],
      ['tenant', token.tenant ?? 'all'],
      ['begins', token.prefix],
      ['expires', token.expires_at === null ? 'never' : `${minuteOf(token.expires_at)} UTC`],
      ['last used', token.last_used_at === null ? 'never' : `${minuteOf(token.last_used_at)} UTC`],
      ['created', `${minuteOf(token.created_at)} UTC`],
    ], cli.print.paint));
  });
  tokens.command('delete <id>').description('revoke a token').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('deleteAdminToken', { path: { id } }), () => [`Admin token ${id} is deleted.`]);
  });
};

interface AuditOptions extends Window, Extent {
  tenant?: string;
  actor?: string;
  action?: string;
  resource?: string;
  id?: string;
}

export const auditCommands: Commands = (program, cli) => {
  withExtent(withWindow(program.command('audit').description('who changed what, the latest first; --json has what it was before and after'), cli))
    .option('--tenant <id>', 'of this tenant')
    .option('--actor <id>', 'by root, system, or the id of an admin token')
    .option('--action <operation>', 'as updateKey')
    .option('--resource <kind>', 'as key')
    .option('--id <id>', 'of this tenant, key, …')
    .action(async ({ tenant, actor, action, resource, id, from, to, ...extent }: AuditOptions, command: Command) => {
      const pages = cli.api.pages('listAudit', { query: { tenant, actor, action, resource, resource_id: id, from, to } }, rowsWanted(extent, command));
      await cli.print.list<'listAudit'>(pages, AUDIT_COLUMNS, 'There are no such changes.');
    });
};

const TOKEN_COLUMNS: Column<AdminTokenObject>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name, shrinks: true },
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'TENANT', cell: ({ tenant }) => orNothing(tenant), optional: true },
  { title: 'BEGINS', cell: ({ prefix }) => prefix },
  { title: 'EXPIRES (UTC)', cell: ({ expires_at: expires }) => minuteOf(expires), optional: true },
  { title: 'LAST USED', cell: (row) => minuteOf(row.last_used_at), optional: true },
];

const AUDIT_COLUMNS: Column<AuditEntry>[] = [
  { title: 'AT (UTC)', cell: ({ at }) => secondOf(at) },
  { title: 'WHO', cell: (row) => row.actor_name, shrinks: true },
  { title: 'ACTION', cell: ({ action }) => action },
  { title: 'WHAT', cell: (row) => (row.resource_id === null ? row.resource : `${row.resource} ${row.resource_id}`) },
  { title: 'TENANT', cell: ({ tenant }) => orNothing(tenant), optional: true },
  { title: 'FROM', cell: ({ from }) => orNothing(from), optional: true },
];
