import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { ConfigError } from './environment/config-error.ts';
import { readEnvironment } from './environment.ts';

describe('the environment', () => {
  test('has defaults for everything that can have one', () => {
    expect(readEnvironment({})).toEqual({
      port: 3000, host: '127.0.0.1', opsPort: null, configPath: './deja.yaml', dataDir: './.deja', adminKey: null, bootstrapKey: null,
      redisUrl: 'redis://127.0.0.1:6379', cacheRedisUrl: 'redis://127.0.0.1:6379', databaseUrl: null, qdrantUrl: null, qdrantApiKey: null,
      openaiApiKeys: [], openaiBaseUrl: null, logLevel: 'info', masterKeys: [], transit: null, admin: true, adminPort: null, trustedProxies: [], drainDelayMs: 0, gatewayWorkers: 1, metricsTenants: 100, bodyMemoryBytes: 256 * 1024 * 1024, maxConnections: 16_384, redisDeadlineMs: 50, overload: { latenessMs: 50, inFlight: 20_000 },
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
    [{ DEJA_OVERLOAD: 'no' }, 'DEJA_OVERLOAD must be on or off, but it is "no".'],
    [{ DEJA_OVERLOAD_LATENESS_MS: '4' }, 'DEJA_OVERLOAD_LATENESS_MS must be a whole number of milliseconds between 5 and 10000, but it is "4".'],
    [{ DEJA_OVERLOAD_IN_FLIGHT: '2e4' }, 'DEJA_OVERLOAD_IN_FLIGHT must be a whole number of requests between 1 and 1000000, but it is "2e4".'],
    [{ DEJA_OVERLOAD: 'off', DEJA_OVERLOAD_IN_FLIGHT: '0' }, 'DEJA_OVERLOAD_IN_FLIGHT must be a whole number of requests between 1 and 1000000, but it is "0".'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, but it is "loud".'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL must be a URL that starts with redis:// or rediss://, or several of them with commas between them, which are nodes of a Redis Cluster.'],
    [{ CACHE_REDIS_URL: 'redis://:planted@a:1,b:2' }, 'CACHE_REDIS_URL must be a URL that starts with redis:// or rediss://, or several of them with commas between them, which are nodes of a Redis Cluster.'],
    [{ REDIS_URL: 'redis://a:1/2,redis://b:1/2' }, 'REDIS_URL names a Redis Cluster, which has no databases by number: leave out what follows the port.'],
    [{ REDIS_URL: 'redis+cluster://a:1/1' }, 'REDIS_URL names a Redis Cluster, which has no databases by number: leave out what follows the port.'],
    [{ REDIS_URL: 'rediss://a:1,redis://b:1' }, 'REDIS_URL names a Redis Cluster, whose nodes have one user, one password, and all TLS or none: give them in the first URL.'],
    [{ REDIS_URL: 'redis://:planted@a:1,redis://:other@b:1' }, 'REDIS_URL names a Redis Cluster, whose nodes have one user, one password, and all TLS or none: give them in the first URL.'],
    [{ DATABASE_URL: 'mysql://u:secret@h/d' }, 'DATABASE_URL must be a URL that starts with postgres:// or postgresql://.'],
    [{ DEJA_ADMIN_KEY: 'se cret' }, 'DEJA_ADMIN_KEY must be printable ASCII without blanks, because clients send it in an HTTP header.'],
    [{ DEJA_ADMIN: 'no' }, 'DEJA_ADMIN must be on or off, but it is "no".'],
    [{ DEJA_ADMIN_PORT: '-1' }, 'DEJA_ADMIN_PORT must be a port between 0 and 65535, but it is "-1".'],
    [{ DEJA_TRUSTED_PROXIES: '10.0.0.0/8, proxy' }, 'DEJA_TRUSTED_PROXIES must be a list of networks and addresses, as 10.0.0.0/8,192.0.2.1, but it has "proxy".'],
    [{ DEJA_DRAIN_DELAY_S: '601' }, 'DEJA_DRAIN_DELAY_S must be a number of seconds between 0 and 600, but it is "601".'],
    [{ DEJA_DRAIN_DELAY_S: '-1' }, 'DEJA_DRAIN_DELAY_S must be a number of seconds between 0 and 600, but it is "-1".'],
    ...['0', '-1', '1.5', '257', '1e1', 'all', 'AUTO'].map((given) => [{ DEJA_GATEWAY_WORKERS: given }, `DEJA_GATEWAY_WORKERS must be auto or a whole number between 1 and 256, but it is "${given}".`] as [NodeJS.ProcessEnv, string]),
    [{ DEJA_BODY_MEMORY_MIB: '0' }, 'DEJA_BODY_MEMORY_MIB must be a whole number, 1 or more, but it is 0.'],
    [{ DEJA_MAX_CONNECTIONS: 'many' }, 'DEJA_MAX_CONNECTIONS must be a whole number, 0 or more, but it is "many".'],
    [{ DEJA_METRICS_TENANTS: '1.5' }, 'DEJA_METRICS_TENANTS must be a whole number, 0 or more, but it is "1.5".'],
    [{ DEJA_MASTER_KEY: 'planted' }, 'DEJA_MASTER_KEY must hold keys of exactly 32 bytes in base64, but its key is none.'],
    [{ DEJA_MASTER_KEY_FILE: '/keys' }, 'DEJA_MASTER_KEY_FILE names the file /keys, which cannot be read (ENOENT): make it a file that this process may read.'],
    [{ DEJA_TRANSIT_KEY: 'deja', VAULT_TOKEN: 'planted' }, 'VAULT_ADDR is missing: DEJA_TRANSIT_KEY needs the address of the Vault that has the key, such as https://vault.example.com:8200.'],
    [{ DEJA_TRANSIT_KEY: 'deja', VAULT_ADDR: 'https://v:8200' }, 'VAULT_TOKEN is missing: DEJA_TRANSIT_KEY needs a token in it, or in a file that VAULT_TOKEN_FILE names.'],
    [{ DEJA_TRANSIT_KEY: '../sys', VAULT_ADDR: 'https://v:8200', VAULT_TOKEN: 'planted' }, 'DEJA_TRANSIT_KEY must be the name of a transit key: letters, digits, ".", "_" and "-".'],
    [{ DEJA_TRANSIT_KEY: 'deja', DEJA_TRANSIT_MOUNT: 'a/../sys', VAULT_ADDR: 'https://v:8200', VAULT_TOKEN: 'planted' }, 'DEJA_TRANSIT_MOUNT must be the path of a transit engine, such as transit.'],
    [{ DEJA_TRANSIT_KEY: 'deja', VAULT_ADDR: 'v:8200', VAULT_TOKEN: 'planted' }, 'VAULT_ADDR must be a URL that starts with https:// or http://.'],
    [{ DEJA_TRANSIT_KEY: 'deja', VAULT_ADDR: 'https://u:planted@v', VAULT_TOKEN: 't' }, 'VAULT_ADDR must be an address alone, without a user, a password, ? or #: the token belongs in VAULT_TOKEN or VAULT_TOKEN_FILE.'],
    [{ DEJA_TRANSIT_KEY: 'deja', VAULT_ADDR: 'https://v', VAULT_TOKEN: 'a b' }, 'VAULT_TOKEN must be printable ASCII without blanks, because it is sent in an HTTP header.'],
  ])('refuses %j with one sentence that does not give a secret away', (variables, sentence) => {
    expect(() => readEnvironment(variables)).toThrow(new ConfigError(sentence));
  });

  test('says whether and where the admin API is served, and which proxies are believed', () => {
    expect(readEnvironment({ DEJA_ADMIN: 'off', DEJA_ADMIN_PORT: '3001', DEJA_TRUSTED_PROXIES: ' 10.0.0.0/8, ::1,' })).toMatchObject({ admin: false, adminPort: 3001, trustedProxies: ['10.0.0.0/8', '::1'] });
  });

  test.each([
    ['redis://:a,b@h:1/2', 'redis://:a,b@h:1/2'],
    ['redis://u:p@a:7000, redis://b:7001,redis://u:p@c', 'redis://u:p@a:7000,redis://b:7001,redis://u:p@c'],
    ['rediss+cluster://config.example:6380/', 'rediss+cluster://config.example:6380/'],
  ])('takes one Redis or the nodes of a cluster: %j', (given, redisUrl) => {
    expect(readEnvironment({ REDIS_URL: given })).toMatchObject({ redisUrl, cacheRedisUrl: redisUrl });
  });

  test.each<[string | undefined, number | 'auto']>([[undefined, 1], ['', 1], [' 4 ', 4], ['256', 256], ['auto', 'auto']])('takes %j for the number of a gateway’s processes: %j', (given, expected) => {
    expect(readEnvironment({ DEJA_GATEWAY_WORKERS: given }).gatewayWorkers).toBe(expected);
  });

  test('says how long a gateway goes on after it was told to stop, and how many tenants have metrics', () => {
    expect(readEnvironment({ DEJA_DRAIN_DELAY_S: ' 2.5 ', DEJA_METRICS_TENANTS: '0' })).toMatchObject({ drainDelayMs: 2500, metricsTenants: 0 });
    expect(readEnvironment({ DEJA_DRAIN_DELAY_S: '600', DEJA_METRICS_TENANTS: '' })).toMatchObject({ drainDelayMs: 600_000, metricsTenants: 100 });
  });

  test('says from when on a gateway refuses requests, or that it never does', () => {
    expect(readEnvironment({ DEJA_OVERLOAD_LATENESS_MS: ' 80 ', DEJA_OVERLOAD_IN_FLIGHT: '7', DEJA_OVERLOAD: 'on' }).overload).toEqual({ latenessMs: 80, inFlight: 7 });
    expect(readEnvironment({ DEJA_OVERLOAD: 'off', DEJA_OVERLOAD_IN_FLIGHT: '7' }).overload).toBeNull();
    expect(readEnvironment({ DEJA_REDIS_DEADLINE_MS: '200' }).redisDeadlineMs).toBe(200);
  });

  test('knows a transit engine that wraps, one that only unwraps, and one that is not meant for it', () => {
    const transit = (variables: NodeJS.ProcessEnv): unknown => readEnvironment(variables).transit;
    expect(transit({ VAULT_ADDR: 'https://v:8200/', VAULT_TOKEN_FILE: '/token', DEJA_TRANSIT_KEY: 'deja', DEJA_TRANSIT_MOUNT: '/team/transit/', VAULT_NAMESPACE: 'team' }))
      .toEqual({ address: 'https://v:8200', token: { file: '/token' }, namespace: 'team', mount: 'team/transit', key: 'deja' });
    expect(transit({ VAULT_ADDR: 'http://v', VAULT_TOKEN: 't', VAULT_TOKEN_FILE: '/token' })).toMatchObject({ address: 'http://v', mount: 'transit', namespace: null, key: null });
    expect(transit({ VAULT_ADDR: 'unix:///agent' })).toBeNull();
  });

  test('prints without its secrets', () => {
    const environment = readEnvironment({
      DEJA_MASTER_KEY: `planted-id:${Buffer.from('planted-planted-planted-planted-').toString('base64')}`, VAULT_ADDR: 'https://v', VAULT_TOKEN: 'planted-token', DEJA_TRANSIT_KEY: 'deja',
      DEJA_ADMIN_KEY: 'planted-admin', DEJA_BOOTSTRAP_KEY: 'planted-key', OPENAI_API_KEY: 'planted-openai',
      REDIS_URL: 'redis://:planted-redis@h:1,redis://:planted-redis@i:1', CACHE_REDIS_URL: 'redis://:planted-cache@h:1', DATABASE_URL: 'postgres://u:planted-pg@h/d',
    });
    const printed = (JSON.stringify(environment) + inspect(environment, { depth: 9 })).replaceAll('planted-id', '');
    expect(printed).not.toContain('planted');
    expect(printed).not.toContain(environment.masterKeys[0]!.key.reveal());
    expect(environment.adminKey).toBe('planted-admin');
  });
});
