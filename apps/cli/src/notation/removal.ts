import { CliFailure, EXIT } from '../failure.ts';

/** For a removal that finds nothing: it may be a slip of the fingers, and what was meant would stay. `there` is what could be taken away, as one types it. */
export function nothingTaken(removal: string, there: readonly string[]): CliFailure {
  return new CliFailure(EXIT.usage, `${removal} takes nothing away: ${there.length === 0 ? 'there is nothing of the kind' : `what is there is ${there.join(' and ')}`}.`, ['Nothing was changed.']);
}
