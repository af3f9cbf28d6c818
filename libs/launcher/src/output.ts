import type { Writable } from 'node:stream';

/** One line that a member of the cluster, or the launcher itself, has to say. */
export interface OutputLine {
  /** `gateway-1`, `redis`, `launcher`. */
  from: string;
  /** As it was written: a JSON log record, or text. */
  text: string;
  level: 'debug' | 'info' | 'warn' | 'error';
}

export type Output = (line: OutputLine) => void;

const COLOURS = [36, 35, 32, 34, 33, 96, 95, 92];
const LEVEL_COLOURS = { debug: 90, info: 39, warn: 33, error: 31 } as const;

/** What Redis and Postgres say: their everyday remarks are of interest to somebody who debugs only. */
export function serviceLevel(service: 'redis' | 'postgres', text: string): OutputLine['level'] {
  // A FATAL that only ends a session is told by whoever had that session.
  if (service === 'postgres') return /\b(?:FATAL|PANIC):(?!.*(?:starting up|shutting down|administrator command))/.test(text) ? 'warn' : 'debug';
  // Redis marks warnings with #, but says hello that way too, and gives advice for machines that serve nothing else.
  return / # .*(?:error|fail|can't|denied|bad |corrupt|out of memory|no space|crash)/i.test(text) && !/overcommit/.test(text) ? 'warn' : 'debug';
}

/** One JSON record a line, each with `app`: an app's own records have it, and anything else becomes such a record. */
export function jsonOutput(to: Writable, options: { debug: boolean }): Output {
  return ({ from, text, level }) => {
    if (level === 'debug' && !options.debug) return;
    to.write(`${record(from, text) ?? JSON.stringify({ level, time: new Date().toISOString(), app: from, msg: text })}\n`);
  };
}

function record(from: string, text: string): string | null {
  if (!text.startsWith('{') || !text.endsWith('}') || text.length === 2) return null;
  return text.includes('"app":"') ? text : `{"app":${JSON.stringify(from)},${text.slice(1)}`;
}

/** Lines for a person at a terminal: who says it, in a colour of its own, then what. */
export function prettyOutput(to: Writable, options: { debug: boolean; width: number }): Output {
  const colours = new Map<string, number>();
  return ({ from, text, level }) => {
    if (level === 'debug' && !options.debug) return;
    const colour = colours.get(from) ?? COLOURS[colours.size % COLOURS.length] ?? 39;
    colours.set(from, colour);
    const message = from === 'launcher' || level !== 'info' ? `\u001b[${LEVEL_COLOURS[level]}m${text}\u001b[39m` : text;
    to.write(`\u001b[${colour}m${from.padEnd(options.width)}\u001b[39m │ ${message}\n`);
  };
}
