import { ConfigError } from './config-error.ts';
import { text } from './variables.ts';

/** How many processes serve behind one gateway's port: so many, or `auto`, as many as its share of the machine allows. */
export type GatewayWorkers = number | 'auto';

/** More than machines have processors: whoever asks for more meant something else. */
const MOST_WORKERS = 256;

/** Of `DEJA_GATEWAY_WORKERS` alone, for whoever has to know it before all else is loaded; 1 unless set. Throws a ConfigError. */
export function gatewayWorkers(values: NodeJS.ProcessEnv): GatewayWorkers {
  const value = text({ values, files: new Map() }, 'DEJA_GATEWAY_WORKERS') ?? '1';
  if (value === 'auto') return 'auto';
  const count = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (count < 1 || count > MOST_WORKERS) throw new ConfigError(`DEJA_GATEWAY_WORKERS must be auto or a whole number between 1 and ${MOST_WORKERS}, but it is ${JSON.stringify(value)}.`);
  return count;
}
