import type { OutageLogger } from '@deja/redis';

/** What the transport needs of a logger. */
export interface StreamsLogger extends OutageLogger {
  error(fields: object, message: string): void;
}
