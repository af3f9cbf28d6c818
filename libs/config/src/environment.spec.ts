import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, readEnvironment } from './environment.ts';

describe('the environment', () => {
  test('has defaults for everything that can have one', () => {
    expect(readEnvironment({})).toEqual({
      port: 3000, host: '127.0.0.1', opsPort: null, configPath: './deja.yaml', dataDir: './.deja', adminKey: null, bootstrapKey: null,
      redisUrl: 'redis://127.0.0.1:6379', cacheRedisUrl: 'redis://127.0.0.1:6379', databaseUrl: null, qdrantUrl: null,
      openaiApiKeys: [], openaiBaseUrl: null, logLevel: 'info',
    });
  });

  test('takes an empty variable for an absent one, and a comma-separated OPENAI_API_KEY for a pool', () => {
    const environment = readEnvironment({ PORT: '', REDIS_URL: 'redis://h:1/2', OPENAI_API_KEY: ' sk-a ,sk-b,', LOG_LEVEL: 'WARN', OPS_PORT: '0' });
    expect(environment).toMatchObject({ port: 3000, cacheRedisUrl: 'redis://h:1/2', openaiApiKeys: ['sk-a', 'sk-b'], logLevel: 'warn', opsPort: 0 });
  });

  test.each([
    [{ PORT: '80x' }, 'PORT must be a port between 0 and 65535, but it is "80x".'],
    [{ OPS_PORT: '65536' }, 'OPS_PORT must be a port between 0 and 65535, but it is "65536".'],
    [{ PORT: '-1' }, 'PORT must be a port between 0 and 65535, but it is "-1".'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, but it is "loud".'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL must be a URL that starts with redis:// or rediss://.'],
    [{ DATABASE_URL: 'mysql://u:secret@h/d' }, 'DATABASE_URL must be a URL that starts with postgres:// or postgresql://.'],
    [{ DEJA_ADMIN_KEY: 'se cret' }, 'DEJA_ADMIN_KEY must be printable ASCII without blanks, because clients send it in an HTTP header.'],
  ])('refuses %j with one sentence that does not give a secret away', (variables, sentence) => {
    expect(() => readEnvironment(variables)).toThrow(new ConfigError(sentence));
  });

  test('prints without its secrets', () => {
    const environment = readEnvironment({
      DEJA_ADMIN_KEY: 'planted-admin', DEJA_BOOTSTRAP_KEY: 'planted-key', OPENAI_API_KEY: 'planted-openai',
      REDIS_URL: 'redis://:planted-redis@h:1', DATABASE_URL: 'postgres://u:planted-pg@h/d',
    });
    expect(JSON.stringify(environment) + inspect(environment, { depth: 9 })).not.toContain('planted');
    expect(environment.adminKey).toBe('planted-admin');
  });
});
