import { expect, test } from '@jest/globals';
import { ConfigError } from '@deja/config';
import { BadConfigFile } from './config-file.ts';
import { startUpSentence } from './start-up-error.ts';

test.each([
  [new ConfigError('DATABASE_URL is missing.'), 'deja router: DATABASE_URL is missing.'],
  [new BadConfigFile('/d.yaml', [{ path: 'cache', line: 2, column: 1, message: 'must be a map' }]), 'deja router: the configuration cannot be used:\n/d.yaml:2:1: cache: must be a map'],
  [Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE', port: 9461 }), 'deja router: port 9461 is in use: set OPS_PORT to another one, or to 0 for any that is free.'],
  [new Error('Postgres did not become reachable in time: no route'), 'deja router: Postgres did not become reachable in time: no route'],
])('%s is told in a sentence that says what to change, without a stack', (error, sentence) => {
  expect(startUpSentence(error)).toBe(sentence);
});
