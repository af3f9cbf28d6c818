import type { AlertObject } from '@deja/admin-api';
import type { Command } from 'commander';
import { CliFailure, EXIT } from '../failure.ts';
import { conditionWords } from '../notation/alert-conditions.ts';
import { secondsWords } from '../notation/times.ts';
import { DELIVERY_COLUMNS, receiverWords } from '../output/alert-words.ts';
import { minuteOf } from '../output/readable.ts';
import { fields, type Column } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { alertLogCommands } from './alert-log.ts';
import { ruleReader, withRuleOptions, type RuleOptions } from './alert-options.ts';
import { silenceCommands } from './alert-silences.ts';
import { rowsWanted, withExtent, type Extent } from './options.ts';

const HELP = `
For example:
  deja alerts create slow --metric latency_ms --above 4000 --percentile 95 --window 5m --for 1m --tenant '*' --email ops@example.com
  deja alerts create burn --metric budget_used_share --above 80% --webhook https://hooks.example.com/deja --webhook-secret-file hook.secret
  deja alerts test <id>
What each metric is, and what holds where nothing is said: docs/alerts.md.`;

export const alertCommands: Commands = (program, cli) => {
  const alerts = program.command('alerts').description('alert rules, what fires and was told, silences').addHelpText('after', HELP);
  const said = (alert: AlertObject): string[] => describedAlert(alert, cli);

  withRuleOptions(alerts.command('create [name]').description('make a rule').option('--disabled', 'without evaluating it yet')).action(async (name: string | undefined, options: RuleOptions & { disabled?: true }) => {
    const { disabled, file } = options;
    if (name === undefined && file === undefined) throw new CliFailure(EXIT.usage, 'Give the rule a name, as slow, or a --file that has one.');
    if (options.metric === undefined && file === undefined) throw new CliFailure(EXIT.usage, 'Say what is watched: --metric, or a --file.');
    const rule = await ruleReader({ ...options, ...(name !== undefined && { name }) }, cli.input);
    await cli.print.answer(await cli.api.call('createAlert', { body: { ...rule(), ...(disabled === true && { enabled: false }) } }), said);
  });
  withExtent(alerts.command('list').description('rules, of deja.yaml and of the admin API')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listAlerts'>(cli.api.pages('listAlerts', {}, rowsWanted(options, command)), COLUMNS, 'There are no alert rules.');
  });
  alerts.command('get <id>').description('one rule').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('getAlert', { path: { id } }), said);
  });
  withRuleOptions(alerts.command('update <id>').description('change a rule: what is not named stays; receivers that are named take the place of all there were').option('--name <name>', 'another name'))
    .action(async (id: string, options: RuleOptions) => {
      if (Object.keys(options).length === 0) throw new CliFailure(EXIT.usage, 'Say what to change: deja alerts update --help has what there is.');
      const rule = await ruleReader(options, cli.input);
      await cli.print.answer(await cli.api.update('getAlert', 'updateAlert', id, ({ when }) => rule(when)), said);
    });
  for (const [verb, enabled] of [['disable', false], ['enable', true]] as const) {
    alerts.command(`${verb} <id>`).description(enabled ? 'evaluate a disabled rule again' : 'evaluate a rule no more until it is enabled again').action(async (id: string) => {
      await cli.print.answer(await cli.api.call('updateAlert', { path: { id }, body: { enabled } }), (alert) => [`Alert ${alert.name} is ${stateOf(alert)}.`]);
    });
  }
  alerts.command('delete <id>').description('delete a rule; what was told of it stays').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('deleteAlert', { path: { id } }), () => [`Alert ${id} is deleted.`]);
  });
  alerts.command('test <id>').description('send a notification marked as a test to all its receivers, now').action(async (id: string) => {
    const answer = await cli.api.call('testAlert', { path: { id } });
    await cli.print.answer(answer, ({ deliveries }) => (deliveries.length === 0 ? ['Nobody is told of it.'] : cli.print.tableLines(deliveries, DELIVERY_COLUMNS)));
    if (answer.value.deliveries.some(({ state }) => state !== 'delivered')) throw new CliFailure(EXIT.refused, 'Not all of them have it.');
  });
  alertLogCommands(alerts, cli);
  silenceCommands(alerts, cli);
};

const stateOf = ({ enabled }: AlertObject): string => (enabled ? 'enabled' : 'disabled');
const sourceOf = ({ source }: AlertObject): string => (source === 'file' ? 'deja.yaml' : 'the admin API');

const COLUMNS: Column<AlertObject>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name, shrinks: true },
  { title: 'FROM', cell: sourceOf },
  { title: 'STATE', cell: stateOf, tone: ({ enabled }) => (enabled ? null : 'red') },
  { title: 'WHEN', cell: ({ when }) => conditionWords(when).join(', '), shrinks: true },
  { title: 'NOTIFY', cell: ({ notify }) => notify.map(receiverWords).join('; '), shrinks: true },
];

function describedAlert(alert: AlertObject, { print }: Cli): string[] {
  return fields([
    ['id', alert.id],
    ['name', alert.name],
    ['from', sourceOf(alert)],
    ['state', stateOf(alert)],
    ['when', conditionWords(alert.when)],
    ['notify', alert.notify.map(receiverWords)],
    ['told together by', alert.group_by.join(', ')],
    ['told again', alert.repeat_s === null ? 'never' : `after ${secondsWords(alert.repeat_s)}`],
    ['created', alert.created_at === null ? [] : `${minuteOf(alert.created_at)} UTC`],
    ['updated', alert.updated_at === null ? [] : `${minuteOf(alert.updated_at)} UTC`],
  ], print.paint);
}
