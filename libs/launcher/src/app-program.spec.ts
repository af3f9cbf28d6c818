import { readFileSync } from 'node:fs';
import { appProgram } from './app-program.ts';
import { APPS } from './scale.ts';

const dockerfile = readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8');
const stageOf = (app: string): string => dockerfile.split(/^FROM /m).find((stage) => stage.startsWith(`runtime AS ${app}\n`)) ?? '';

test.each(APPS)('%s is started by its image as by npm start: under the same flags, with the same variables', (app) => {
  const { args, env } = appProgram(app, '.');
  expect(JSON.parse(/^CMD (.*)$/m.exec(stageOf(app))?.[1] ?? 'null')).toEqual(['node', ...args]);
  for (const [name, value] of Object.entries(env)) expect(stageOf(app)).toMatch(new RegExp(`^ENV (?:.* )?${name}=${value}(?: |$)`, 'm'));
});

test('another build of an app is run under the same flags', () => {
  expect(appProgram('gateway', '.', '/elsewhere/main.mjs').args).toEqual([...appProgram('gateway', '.').args.slice(0, -1), '/elsewhere/main.mjs']);
});
