import type { SilenceObject } from '@deja/admin-api';
import { ALERT_LABELS, type AlertLabel } from '@deja/contracts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { CliFailure, EXIT } from '../failure.ts';
import { parseMoment } from '../notation/times.ts';
import { labelWords } from '../output/alert-words.ts';
import { plainText } from '../output/plain-text.ts';
import { minuteOf, orNothing } from '../output/readable.ts';
import type { Column } from '../output/table.ts';
import type { Commands } from '../cli.ts';
import { repeatable, rowsWanted, withExtent, type Extent } from './options.ts';

interface SilenceOptions {
  alert?: string;
  label?: [name: AlertLabel, value: string][];
  everything?: true;
  from?: string;
  until: string;
  comment?: string;
}

/** `deja alerts silences`. */
export const silenceCommands: Commands = (alerts, cli) => {
  const silences = alerts.command('silences').description('times in which nobody is told of some alerts');
  const moment = (text: string): string => parseMoment(text, cli.nowMs(), 1);
  silences.command('create').description('tell nobody of some alerts for a time; all that is named must hold')
    .option('--alert <name>', 'of the rule with this name')
    .addOption(repeatable('--label <name=value>', `that are about this: ${ALERT_LABELS.join(', ')}; again for more`, parseLabel))
    .addOption(new Option('--everything', 'of all alerts').conflicts(['alert', 'label']))
    .addOption(new Option('--until <moment>', 'when it ends: 2h from now, 2026-12-01T08:00Z').argParser(moment).makeOptionMandatory())
    .option('--from <moment>', 'when it begins (now unless said)', moment)
    .option('--comment <text>', 'why')
    .action(async ({ alert, label = [], everything, from, until, comment }: SilenceOptions) => {
      if (everything !== true && alert === undefined && label.length === 0) throw new CliFailure(EXIT.usage, 'Say which alerts: --alert, --label, or --everything.');
      const body = {
        ...(alert !== undefined && { alert }),
        labels: Object.fromEntries(label),
        ...(from !== undefined && { starts_at: from }),
        ends_at: until,
        ...(comment !== undefined && { comment }),
      };
      await cli.print.answer(await cli.api.call('createSilence', { body }), (silence) => [plainText(`Silence ${silence.id}: ${whatOf(silence)}, until ${minuteOf(silence.ends_at)} UTC.`)]);
    });
  withExtent(silences.command('list').description('silences that are not over')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listSilences'>(cli.api.pages('listSilences', {}, rowsWanted(options, command)), COLUMNS, 'There are no silences.');
  });
  silences.command('delete <id>').description('end a silence').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('deleteSilence', { path: { id } }), () => [`Silence ${id} is over.`]);
  });
};

function whatOf({ alert, labels }: SilenceObject): string {
  const about = Object.keys(labels).length === 0 ? '' : ` about ${labelWords(labels)}`;
  return `nobody is told of ${alert === null ? (about === '' ? 'any alert' : 'alerts') : `alert ${alert}`}${about}`;
}

function parseLabel(text: string): [AlertLabel, string] {
  const [, name, value] = /^([a-z]+)=(.+)$/s.exec(text) ?? [];
  const label = ALERT_LABELS.find((known) => known === name);
  if (label === undefined || value === undefined) throw new InvalidArgumentError(`write a label as tenant=acme; there are ${ALERT_LABELS.join(', ')}`);
  return [label, value];
}

const COLUMNS: Column<SilenceObject>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'ALERT', cell: ({ alert }) => alert ?? 'all' },
  { title: 'OF', cell: ({ labels }) => labelWords(labels), shrinks: true },
  { title: 'FROM (UTC)', cell: (row) => minuteOf(row.starts_at) },
  { title: 'UNTIL', cell: (row) => minuteOf(row.ends_at) },
  { title: 'BY', cell: (row) => row.created_by, shrinks: true },
  { title: 'COMMENT', cell: ({ comment }) => orNothing(comment), optional: true, shrinks: true },
];
