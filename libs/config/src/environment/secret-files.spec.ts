import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readEnvironment, type Environment } from '../environment.ts';
import { ConfigError } from './config-error.ts';
import { SECRET_VARIABLES, withSecretFiles } from './secret-files.ts';

const MASTER_KEY = Buffer.alloc(32, 1).toString('base64');
const VALUES: Record<(typeof SECRET_VARIABLES)[number], string> = {
  DEJA_ADMIN_KEY: 'admin', DEJA_BOOTSTRAP_KEY: 'sk-deja-a', DEJA_MASTER_KEY: `2026:${MASTER_KEY}`, DATABASE_URL: 'postgres://u:planted@h/d',
  REDIS_URL: 'redis://:planted@h:1', CACHE_REDIS_URL: 'redis://:planted@c:1', QDRANT_API_KEY: 'qdrant', OPENAI_API_KEY: 'sk-a,sk-b',
};

/** The environment with every secret in a file that holds what `contentOf` makes of it. */
function fromFiles(contentOf: (value: string) => string): Environment {
  const variables = Object.fromEntries(SECRET_VARIABLES.map((name) => [`${name}_FILE`, `/run/secrets/${name}`]));
  return readEnvironment(variables, (path) => contentOf(VALUES[path.slice('/run/secrets/'.length) as keyof typeof VALUES]));
}

describe('a secret in a file', () => {
  test('is worth the same as one in a variable, for every secret there is, whatever blanks and line ends stand around it', () => {
    const blanks = fc.string({ unit: fc.constantFrom(' ', '\t', '\r', '\n'), maxLength: 4 });
    fc.assert(fc.property(blanks, blanks, (before, after) => expect(fromFiles((value) => before + value + after)).toEqual(readEnvironment(VALUES))));
  });

  test.each(SECRET_VARIABLES)('%s in both places is refused with both names and neither value', (name) => {
    const both = { [name]: 'planted', [`${name}_FILE`]: '/secret' };
    expect(() => readEnvironment(both, () => 'planted')).toThrow(new ConfigError(`${name} and ${name}_FILE are both set: take out the one that is not meant.`));
  });

  test.each(SECRET_VARIABLES)('%s_FILE that cannot be read, or is empty, is refused with its path', (name) => {
    expect(() => readEnvironment({ [`${name}_FILE`]: '/no/such/file' })).toThrow(new ConfigError(`${name}_FILE names the file /no/such/file, which cannot be read (ENOENT): make it a file that this process may read.`));
    expect(() => readEnvironment({ [`${name}_FILE`]: '/secret' }, () => ' \n')).toThrow(new ConfigError(`${name}_FILE names the file /secret, which is empty: write the value into it.`));
  });

  test.each([
    ['DEJA_ADMIN_KEY', 'two planted', 'must be printable ASCII without blanks, because clients send it in an HTTP header.'],
    ['DEJA_MASTER_KEY', 'planted', 'must hold keys of exactly 32 bytes in base64, but its key is none.'],
    ['DATABASE_URL', 'mysql://u:planted@h/d', 'must be a URL that starts with postgres:// or postgresql://.'],
    ['REDIS_URL', 'redis+cluster://:planted@h:1/1', 'names a Redis Cluster, which has no databases by number: leave out what follows the port.'],
  ])('%s_FILE with a value that does not do is refused with its path and without the value', (name, content, sentence) => {
    expect(() => readEnvironment({ [`${name}_FILE`]: '/secret' }, () => content)).toThrow(new ConfigError(`${name}_FILE: the file /secret ${sentence}`));
  });

  test('counts as given nowhere while its variable is empty, and leaves all other variables alone', () => {
    const given = { DEJA_ADMIN_KEY_FILE: ' ', DEJA_ADMIN_KEY: 'a', REDIS_URL: '', REDIS_URL_FILE: '/r', OTHER_FILE: '/other' };
    expect(withSecretFiles(given, (path) => path)).toEqual({ values: { ...given, REDIS_URL: '/r' }, files: new Map([['REDIS_URL', '/r']]) });
  });

  test('prints as little of it as one in a variable', () => {
    const environment = fromFiles((value) => value);
    expect(JSON.stringify(environment) + inspect(environment, { depth: 9 })).not.toMatch(/planted|sk-deja-a|sk-a/);
  });
});
