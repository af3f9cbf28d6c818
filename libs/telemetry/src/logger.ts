import { trace } from '@opentelemetry/api';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { masked } from './masking.ts';
import { prettyLine } from './pretty-line.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  service: string;
  instance: string;
  level?: string;
  /** Standard output by default. */
  destination?: DestinationStream;
  /** Lines for people; unless given, what `DEJA_LOG_PRETTY=1` says. */
  pretty?: boolean;
}

/**
 * JSON lines with the app's name and the active trace. Whatever looks like a secret is masked in the finished line, wherever in it
 * it stands: a message, a stack, a nested field. An error's whole chain of causes is written.
 */
export function createLogger({ service, instance, level = 'info', destination, pretty = process.env['DEJA_LOG_PRETTY'] === '1' }: LoggerOptions): Logger {
  // Written at once and in order, also right before an exit; a reader that went away is no reason to die.
  const sink = destination ?? pino.destination({ dest: 1, sync: true });
  const shown = pretty ? (line: string): string => prettyLine(masked(line)) : masked;
  return pino(
    {
      level,
      base: { app: service, instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => {
        const span = trace.getActiveSpan()?.spanContext();
        return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
      },
    },
    { write: (line: string) => sink.write(shown(line)) },
  );
}
