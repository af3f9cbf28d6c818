import type { Variables } from './secret-files.ts';
import { onOff, within } from './variables.ts';

/** From when on a gateway process refuses requests because it has too many; see docs/overload.md. */
export interface OverloadSettings {
  /** How late its event loop may be until it admits less, ms. */
  latenessMs: number;
  /** How many requests it may have at once, those that wait for a provider too. */
  inFlight: number;
}

const DEFAULT_LATENESS_MS = 50;
/** Each holds some tens of KiB while it waits: a process has room for so many beside its caches. */
const DEFAULT_IN_FLIGHT = 20_000;
/** Less is noise of timers and of the scheduler, more is no protection. */
const LATENESS_MS = { least: 5, most: 10_000 };
const IN_FLIGHT = { least: 1, most: 1_000_000 };

/** null: nothing is refused. Throws a ConfigError naming the variable. */
export function overload(variables: Variables): OverloadSettings | null {
  const settings = {
    latenessMs: within(variables, 'DEJA_OVERLOAD_LATENESS_MS', LATENESS_MS, 'a whole number of milliseconds') ?? DEFAULT_LATENESS_MS,
    inFlight: within(variables, 'DEJA_OVERLOAD_IN_FLIGHT', IN_FLIGHT, 'a whole number of requests') ?? DEFAULT_IN_FLIGHT,
  };
  return onOff(variables, 'DEJA_OVERLOAD') === false ? null : settings;
}
