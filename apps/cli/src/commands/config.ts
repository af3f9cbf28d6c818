import type { ReplyOf } from '@deja/admin-api';
import { stringify } from 'yaml';
import { CliFailure, EXIT } from '../failure.ts';
import { plainText } from '../output/plain-text.ts';
import { minuteOf } from '../output/readable.ts';
import type { Commands } from '../cli.ts';

type Problem = ReplyOf<'validateConfig'>['errors'][number];

export const configCommands: Commands = (program, cli) => {
  const config = program.command('config').description('deja.yaml');
  config.command('get').description('the configuration in force as YAML, secrets masked').action(async () => {
    const answer = await cli.api.call('getConfig');
    await cli.print.answer(answer, ({ source, loaded_at: loadedAt, snapshot_version: version, config: inForce }) => {
      const read = loadedAt === null ? '' : `, read ${minuteOf(loadedAt)} UTC`;
      return [`# From ${source}${read}${version === null ? '' : `, version ${version}`}.`, stringify(inForce, { lineWidth: 0 }).trimEnd()];
    });
  });
  config.command('validate <file>').description('whether a deja.yaml would do, without taking it; - is standard input').action(async (file: string) => {
    const answer = await cli.api.call('validateConfig', { body: { yaml: await cli.input.text(file) } });
    const { valid, errors, warnings } = answer.value;
    const problems = [...errors.map((problem) => placed(file, 'error', problem)), ...warnings.map((problem) => placed(file, 'warning', problem))];
    await cli.print.answer(answer, () => [...problems, ...(valid ? [`${file} would do.`] : [])]);
    if (!valid) throw new CliFailure(EXIT.refused, `${file} would not do.`);
  });
  config.command('reload').description('have deja.yaml read again').action(async () => {
    await cli.print.answer(await cli.api.call('reloadConfig'), ({ changed, snapshot_version: version }) => {
      const what = changed ? 'The configuration has changed' : 'Nothing has changed';
      return [`${what}${version === null ? '' : `: version ${version}`}.`];
    });
  });
};

/** As compilers write it, so that editors find the place. */
function placed(file: string, kind: string, { path, line, column, message }: Problem): string {
  const place = line === null ? '' : `:${line}${column === null ? '' : `:${column}`}`;
  return plainText(`${file}${place}: ${kind}: ${path === '' ? '' : `${path}: `}${message}`);
}
