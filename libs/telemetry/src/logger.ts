import { trace } from '@opentelemetry/api';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { masked } from './masking.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  service: string;
  instance: string;
  level?: string;
  /** Standard output by default. */
  destination?: DestinationStream;
}

/**
 * JSON lines with the app's name and the active trace. Whatever looks like a secret is masked in the finished line, wherever in it
 * it stands: a message, a stack, a nested field. `DEJA_LOG_PRETTY=1` writes for people instead.
 */
export function createLogger({ service, instance, level = 'info', destination }: LoggerOptions): Logger {
  const sink = destination ?? process.stdout;
  const write = process.env['DEJA_LOG_PRETTY'] === '1' && !destination ? prettyTo(sink) : (line: string): void => void sink.write(line);
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
    { write: (line: string) => write(masked(line)) },
  );
}

const COLOURS: Record<string, string> = { fatal: '\u{1b}[31m', error: '\u{1b}[31m', warn: '\u{1b}[33m', debug: '\u{1b}[2m', trace: '\u{1b}[2m' };
const RESET = '\u{1b}[0m';
const ROUTINE = new Set(['level', 'time', 'app', 'instance', 'msg', 'trace_id', 'span_id', 'err']);

/** One short line for a terminal: time, app, message, then the fields that are not routine. */
function prettyTo(sink: { write(text: string): unknown }): (line: string) => void {
  return (line) => {
    const entry = JSON.parse(line) as Record<string, unknown> & { level: string; time: string; app: string; msg?: string; err?: { stack?: string; message?: string } };
    const fields = Object.entries(entry).filter(([name]) => !ROUTINE.has(name)).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    const error = entry.err ? ` ${entry.level === 'error' ? (entry.err.stack ?? '') : (entry.err.message ?? '')}` : '';
    sink.write(`${entry.time.slice(11, 19)} ${COLOURS[entry.level] ?? ''}${entry.level.padEnd(5)}${RESET} ${entry.app.padEnd(14)} ${entry.msg ?? ''} ${fields.join(' ')}${error}\n`);
  };
}
