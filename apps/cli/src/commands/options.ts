import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseMoment } from '../notation/times.ts';
import type { Cli } from '../cli.ts';

/** An option that may be given again and again: all its values in a row. */
export function repeatable<T>(flags: string, description: string, parse: (text: string) => T, choices: readonly string[] = []): Option {
  const option = new Option(flags, description);
  // They are shown in the help, and completed.
  if (choices.length > 0) option.choices(choices);
  return option.argParser((text: string, before: T[] | undefined): T[] => [...(before ?? []), parse(text)]);
}

export const word = (text: string): string => text;

/** For `--by day,model`: a list of these words. */
export function listedIn(known: readonly string[]): (text: string) => string {
  return (text) => {
    const wrong = text.split(',').find((part) => !known.includes(part.trim()));
    if (wrong !== undefined) throw new InvalidArgumentError(`write some of ${known.join(', ')}, with commas between`);
    return text;
  };
}

/** One of these words. */
export function oneOf(known: readonly string[]): (text: string) => string {
  return (text) => {
    if (!known.includes(text)) throw new InvalidArgumentError(`Allowed choices are ${known.join(', ')}.`);
    return text;
  };
}

export interface Window {
  from?: string;
  to?: string;
}
/** `--from` and `--to`. */
export function withWindow(command: Command, { nowMs }: Cli): Command {
  const moment = (text: string): string => parseMoment(text, nowMs(), -1);
  return command.option('--from <moment>', 'from then on: 2026-01-31, 2026-01-31T12:00Z, or 7d ago', moment).option('--to <moment>', 'until before then', moment);
}

export interface Extent {
  max?: number;
  all?: true;
}
const ROWS = 100;
/** `--max` and `--all` of lists. */
export function withExtent(command: Command): Command {
  return command.option('--max <rows>', `at most so many rows (tables: ${ROWS} unless said)`, positive).addOption(new Option('--all', 'all rows, as --json has them anyway').conflicts('max'));
}

/** How many rows to fetch; null: all. */
export const rowsWanted = ({ max, all }: Extent, command: Command): number | null => max ?? (all === true || command.optsWithGlobals<{ json?: true }>().json === true ? null : ROWS);

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('write a number from 1 on');
  return Number(text);
}
