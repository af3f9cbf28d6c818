import type { AlertEventObject, AlertStateObject } from '@deja/admin-api';
import type { Command } from 'commander';
import { currentWords, deliveryWords, labelWords, metricWords } from '../output/alert-words.ts';
import { orNothing, secondOf } from '../output/readable.ts';
import type { Column, Tone } from '../output/table.ts';
import type { Commands } from '../cli.ts';
import { rowsWanted, withExtent, withWindow, type Extent, type Window } from './options.ts';

/** `deja alerts state` and `deja alerts events`. */
export const alertLogCommands: Commands = (alerts, cli) => {
  withExtent(alerts.command('state').description('what is pending or firing now')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listAlertStates'>(cli.api.pages('listAlertStates', {}, rowsWanted(options, command)), stateColumns(cli.nowMs()), 'Nothing is pending or firing.');
  });
  withExtent(withWindow(alerts.command('events').description('what was told, the latest first, and who has it').option('--alert <name>', 'of the rule with this name or id'), cli))
    .action(async ({ alert, from, to, ...extent }: Window & Extent & { alert?: string }, command: Command) => {
      await cli.print.list<'listAlertEvents'>(cli.api.pages('listAlertEvents', { query: { alert, from, to } }, rowsWanted(extent, command)), EVENT_COLUMNS, 'Nothing was told.');
    });
};

const toneOf = (state: string): Tone => (state === 'firing' ? 'red' : state === 'pending' ? 'yellow' : 'green');

const stateColumns = (nowMs: number): Column<AlertStateObject>[] => [
  { title: 'ALERT', cell: ({ alert }) => alert, shrinks: true },
  { title: 'STATE', cell: ({ state }) => state, tone: ({ state }) => toneOf(state) },
  { title: 'METRIC', cell: ({ metric }) => metric },
  { title: 'VALUE', cell: (row) => currentWords(row, nowMs), align: 'right' },
  { title: 'ABOVE', cell: ({ metric, threshold }) => metricWords(metric, threshold), align: 'right' },
  { title: 'OF', cell: ({ labels }) => labelWords(labels), shrinks: true },
  { title: 'SINCE (UTC)', cell: ({ since }) => secondOf(since) },
  { title: 'SILENCED BY', cell: (row) => orNothing(row.silenced_by), optional: true },
];

const EVENT_COLUMNS: Column<AlertEventObject>[] = [
  { title: 'AT (UTC)', cell: ({ at }) => secondOf(at) },
  { title: 'ALERT', cell: ({ alert, test }) => (test ? `${alert} (test)` : alert), shrinks: true },
  { title: 'STATE', cell: ({ state }) => state, tone: ({ state }) => toneOf(state) },
  { title: 'METRIC', cell: ({ metric }) => metric },
  { title: 'VALUE', cell: ({ metric, value }) => metricWords(metric, value), align: 'right' },
  { title: 'OF', cell: ({ labels }) => labelWords(labels), shrinks: true },
  { title: 'TOLD', cell: ({ deliveries }) => orNothing(deliveries.map(deliveryWords).join('; ')), shrinks: true },
  { title: 'SILENCED BY', cell: (row) => orNothing(row.silenced_by), optional: true },
];
