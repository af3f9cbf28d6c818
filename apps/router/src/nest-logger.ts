import type { LoggerService } from '@nestjs/common';
import type { Logger } from '@deja/telemetry';

/** What Nest has to say, in our log: masked and structured like everything else. Its start-up chatter is for debugging. */
export function nestLogger(logger: Pick<Logger, 'debug' | 'warn' | 'error'>): LoggerService {
  const say = (level: 'debug' | 'warn' | 'error') => (message: unknown, ...details: unknown[]): void => {
    if (message instanceof Error) logger[level]({ err: message }, message.message);
    else logger[level]({ nest: details.at(-1) }, String(message));
  };
  return { log: say('debug'), debug: say('debug'), verbose: say('debug'), warn: say('warn'), error: say('error'), fatal: say('error') };
}
