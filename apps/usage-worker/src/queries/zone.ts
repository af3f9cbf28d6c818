import { DejaError } from '@deja/contracts';

/** Throws a 400 for what is no name of a zone. An offset is none: nobody would know a month later what it stood for. */
export function timeZone(name: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
  } catch {
    throw unknownZone();
  }
  if (/^[+-]/.test(name)) throw unknownZone();
  return name;
}

/** Runs a question in a time zone. Node's list of zones and that of Postgres are not the same: what only Node knows is refused as well. */
export async function inZone<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && /time zone .* not recognized/.test(error.message)) throw unknownZone();
    throw error;
  }
}

const unknownZone = (): DejaError => new DejaError('invalid_value', `Invalid value for 'time_zone': write an IANA time zone, as "Europe/Zurich".`, { param: 'time_zone' });
