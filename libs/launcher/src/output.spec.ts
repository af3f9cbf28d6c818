import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { jsonOutput, prettyOutput, serviceLevel, type OutputLine } from './output.ts';

function written(make: (to: PassThrough) => (line: OutputLine) => void, ...lines: OutputLine[]): string {
  const to = new PassThrough();
  const output = make(to);
  lines.forEach((line) => output(line));
  return String(to.read() ?? '');
}

test('every line of the log is one JSON record that names its app, whatever an app writes', () => {
  const text = written(
    (to) => jsonOutput(to, { debug: false }),
    { from: 'gateway-1', text: '{"level":"info","app":"gateway","instance":"gateway-1","msg":"hello"}', level: 'info' },
    { from: 'router-1', text: '{"level":"warn","msg":"no name"}', level: 'info' },
    { from: 'router-1', text: 'Error: "quoted"', level: 'error' },
    { from: 'redis', text: 'everyday remark', level: 'debug' },
  );
  const records = text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records).toEqual([
    { level: 'info', app: 'gateway', instance: 'gateway-1', msg: 'hello' },
    { app: 'router-1', level: 'warn', msg: 'no name' },
    { level: 'error', time: expect.any(String), app: 'router-1', msg: 'Error: "quoted"' },
  ]);
});

test('at a terminal every line names its app', () => {
  expect(written((to) => prettyOutput(to, { debug: false, width: 10 }), { from: 'router-1', text: 'ready', level: 'info' })).toContain('router-1  \u001b[39m │ ready');
});

test('what Redis and Postgres say every day is kept for those who debug', () => {
  expect(serviceLevel('redis', '1:C 25 Nov 2026 03:25:11.084 # WARNING Memory overcommit must be enabled! Without it, a background save may fail')).toBe('debug');
  expect(serviceLevel('redis', "1:M 25 Nov 2026 03:25:11.084 # Can't open the append-only file: No space left on device")).toBe('warn');
  expect(serviceLevel('postgres', '2026-11-25 03:25:11 UTC [7] LOG:  database system is ready')).toBe('debug');
  expect(serviceLevel('postgres', '2026-11-25 03:25:11 UTC [7] FATAL:  the database system is starting up')).toBe('debug');
  expect(serviceLevel('postgres', '2026-11-25 03:25:11 UTC [7] PANIC:  could not write to file')).toBe('warn');
});
