import { ConfigError } from '@deja/config';

const DEFAULT_S = 60;
const MOST_S = 86_400;
const VARIABLE = 'DEJA_GATEWAY_WORKER_SILENCE_S';
/** So often in that time a worker is asked for a sign of life. */
export const BEATS = 12;

/** For how long a worker may say nothing until it is ended and replaced, ms. Throws a ConfigError. */
export function silenceMs(variables: Readonly<Record<string, string | undefined>>): number {
  const given = variables[VARIABLE]?.trim() ?? '';
  const seconds = given === '' ? DEFAULT_S : Number(given);
  if (!(seconds >= 1 && seconds <= MOST_S)) throw new ConfigError(`${VARIABLE} must be a number of seconds between 1 and ${MOST_S}, but it is ${JSON.stringify(given)}.`);
  return seconds * 1000;
}

/**
 * How long a worker has said nothing. Counted in beats of the primary process and not by a clock: a primary process that stood still itself, as of a machine that
 * was paused, must not take its workers for dead when it goes on.
 */
export class Silence {
  private unheard = 0;

  /** The worker has said something. */
  broken(): void {
    this.unheard = 0;
  }

  /** A beat is over. Returns whether the silence is too long now. */
  lasts(): boolean {
    this.unheard += 1;
    return this.unheard > BEATS;
  }
}
