import { describe, expect, test } from '@jest/globals';
import { createLogger } from './logger.ts';

const SECRETS = ['sk-deja-abc123-verysecret', 'sk-proj-AAAAbbbbCCCC', 'hunter2-password', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'AKIAIOSFODNN7EXAMPLE'];

function logged(log: (logger: ReturnType<typeof createLogger>) => void): string {
  let text = '';
  log(createLogger({ service: 'gateway', instance: 'gateway-1', level: 'trace', destination: { write: (line) => void (text += line) } }));
  return text;
}

describe('the log', () => {
  test('no secret reaches it, wherever in a line it stands', () => {
    const text = logged((logger) => {
      for (const secret of SECRETS.filter((s) => s !== 'hunter2-password')) {
        logger.info(`message with ${secret} inside`);
        logger.error({ err: new Error(`failed for ${secret}`, { cause: new Error(`because of ${secret}`) }) }, 'error');
        logger.info({ deep: [{ header: `Bearer ${secret}` }] }, 'nested');
      }
      for (const name of ['authorization', 'api-key', 'x-api-key', 'OPENAI_API_KEY', 'password', 'client_secret', 'access_token', 'value', 'key']) {
        logger.info({ a: { [name]: 'hunter2-password' } }, 'member');
      }
      logger.warn({ url: 'redis://user:hunter2-password@127.0.0.1:6379/0' }, 'url');
      logger.warn('postgres://:hunter2-password@db/x is away');
    });
    for (const secret of SECRETS) expect(text).not.toContain(secret);
  });

  test('every line is JSON of one line, whatever a client sent', () => {
    const text = logged((logger) => logger.info({ model: 'x\n{"level":"fatal","msg":"forged"}' }, 'line\nbreak'));
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(text)).toMatchObject({ app: 'gateway', level: 'info', msg: 'line\nbreak' });
  });

  test('what is no secret stays readable', () => {
    expect(logged((logger) => logger.info({ model: 'gpt-4o', total_tokens: 12, cache: 'HIT-EXACT', key_id: 'k1' }, 'ok'))).toMatch(/gpt-4o.*12.*HIT-EXACT.*k1/);
  });
});
