import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { context, trace } from '@opentelemetry/api';
import { createLogger, type LoggerOptions } from './logger.ts';
import { startTelemetry } from './telemetry.ts';

type Log = ReturnType<typeof createLogger>;

function logged(log: (logger: Log) => void, options: Partial<LoggerOptions> = {}): string {
  let text = '';
  log(createLogger({ service: 'gateway', instance: 'gateway-1', level: 'trace', destination: { write: (line) => void (text += line) }, ...options }));
  return text;
}

const RECOGNISABLE = ['sk-deja-abc123-verysecret', 'sk-proj-AAAAbbbbCCCC', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'AKIAIOSFODNN7EXAMPLE', 'AIzaSyA1234567890abcdefghijklmnopqrstuv'];
const ORDINARY = 'hunter2-correct-horse';

describe('the log', () => {
  test('a key that can be recognised is masked wherever in a line it stands', () => {
    for (const secret of RECOGNISABLE) {
      const text = logged((logger) => {
        logger.info(`message with ${secret} inside`);
        logger.info(`on a line of its own:\n${secret}\n\t${secret}\u001b${secret}`);
        logger.info('formatted %s', secret);
        logger.info('put together from parts: %s%s', secret.slice(0, 5), secret.slice(5));
        logger.error(new Error(`failed for ${secret}`));
        logger.error({ err: new Error('outer', { cause: new Error('inner', { cause: new Error(`because of ${secret}`) }) }) }, 'chain of causes');
        logger.error({ err: Object.assign(new Error('with fields'), { request: { headers: { accept: secret } } }) }, 'fields of an error');
        logger.info({ deep: [{ header: `Bearer ${secret}` }, [secret]], [secret]: true }, 'nested, also as a name');
        logger.child({ bound: secret }).info('bound to a child');
        logger.info({ body: JSON.stringify({ text: JSON.stringify({ text: secret }) }) }, 'JSON in JSON');
        logger.info({ url: `https://x.example/v1?key=${secret}` });
      });
      expect(text).not.toContain(secret);
      expect(text).not.toContain(secret.slice(-12));
    }
  });

  test('what stands under the name of a secret is masked, whatever it looks like', () => {
    const names = ['authorization', 'Authorization', 'proxy-authorization', 'api-key', 'x-api-key', 'x-goog-api-key', 'apiKey', 'OPENAI_API_KEY', 'adminKey', 'DEJA_MASTER_KEY', 'password', 'client_secret', 'access_token', 'set-cookie', 'secret', 'token', 'value', 'key'];
    for (const name of names) {
      const text = logged((logger) => {
        logger.info({ a: { [name]: ORDINARY } }, 'member');
        logger.info({ [name]: [ORDINARY, `${ORDINARY}"]`] }, 'list');
        logger.info(JSON.stringify({ [name]: `${ORDINARY}"\\` }));
        logger.info({ body: JSON.stringify({ inner: JSON.stringify({ [name]: ORDINARY }, null, 2) }) }, 'JSON in JSON');
      });
      expect({ name, text }).toEqual({ name, text: expect.not.stringContaining(ORDINARY) });
    }
  });

  test('passwords of URLs, schemes of authorization and assignments in plain text are masked', () => {
    const text = logged((logger) => {
      logger.warn({ url: `redis://user:${ORDINARY}@127.0.0.1:6379/0` }, 'url');
      logger.warn(`postgres://:${ORDINARY}@db/x is away`);
      logger.warn(`https://${ORDINARY}@sentry.example/1`);
      logger.warn(`Authorization was Bearer ${ORDINARY}`);
      logger.warn(`connect failed: host=db user=x password=${ORDINARY}`);
      logger.warn(`OPENAI_API_KEY=${ORDINARY}`);
      logger.warn(`{ apiKey: '${ORDINARY}' }`);
      logger.warn(`-----BEGIN PRIVATE KEY-----\n${ORDINARY.replaceAll('-', '')}\n-----END PRIVATE KEY-----`);
    });
    expect(text).not.toContain(ORDINARY);
    expect(text).not.toContain(ORDINARY.replaceAll('-', ''));
  });

  test('every line is JSON of one line, whatever a client sent', () => {
    const text = logged((logger) => logger.info({ model: 'x\n{"level":"fatal","msg":"forged"}' }, 'line\nbreak'));
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(text)).toMatchObject({ app: 'gateway', instance: 'gateway-1', level: 'info', msg: 'line\nbreak', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
  });

  test('what is no secret stays readable', () => {
    const fields = { model: 'gpt-4o', total_tokens: 12, cache: 'HIT-EXACT', key_id: 'k1', credential: 'openai/a', url: 'http://127.0.0.1:3000/v1', task: 'disk-usage-report' };
    expect(JSON.parse(logged((logger) => logger.info(fields, 'risk-assessment of a desk-lamp')))).toMatchObject({ ...fields, msg: 'risk-assessment of a desk-lamp' });
  });

  test('a line written inside a span names its trace', async () => {
    const telemetry = startTelemetry({ service: 'gateway', instance: 'gateway-1', variables: {} });
    const span = telemetry.tracer.startSpan('x');
    const text = await context.with(trace.setSpan(context.active(), span), async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return logged((logger) => logger.info('inside'));
    });
    expect(JSON.parse(text)).toMatchObject({ trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId });
    expect(JSON.parse(logged((logger) => logger.info('outside')))).not.toHaveProperty('trace_id');
    await telemetry.shutdown();
  });

  test('for people a line is short, still masked, and cannot command the terminal', () => {
    const text = logged((logger) => logger.warn({ model: 'gpt-4o', apiKey: ORDINARY }, 'slow\u001b[2J answer'), { pretty: true });
    expect(text).toMatch(/^\d\d:\d\d:\d\d .*warn .*gateway +slow\\u001b\[2J answer model=gpt-4o apiKey=\[masked\]\n$/);
    expect(logged((logger) => logger.error({ err: new Error('boom') }, 'failed'), { pretty: true })).toContain('Error: boom\n    at ');
  });

  test('a line for people is one line, whatever a client sent', () => {
    const forged = '\r\n10:00:00 info  gateway       all is well \u2028\u202e';
    const text = logged((logger) => logger.warn({ model: forged, [`x${forged}`]: [forged] }, forged), { pretty: true });
    expect(text.match(/[\p{Cc}\u2028\u202e]/gu)?.filter((char) => char !== '\u001b')).toEqual(['\n']);
    const stack = logged((logger) => logger.error({ err: new Error(`boom${forged}`) }, 'failed'), { pretty: true });
    expect(stack.split('\n').slice(1, -1).filter((line) => !line.startsWith('    '))).toEqual([]);
  });

  test('a reader that goes away does not end the process', async () => {
    const program = `import { createLogger } from ${JSON.stringify(new URL('./logger.ts', import.meta.url).href)};
      const logger = createLogger({ service: 'x', instance: 'x' });
      process.stdin.once('data', () => { for (let i = 0; i < 100; i++) logger.info('nobody reads this'); process.exit(7); });
      logger.info('ready');`;
    const child = spawn(process.execPath, ['--conditions=@deja/source', '--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    child.stdin.write('go\n');
    expect(await once(child, 'exit')).toEqual([7, null]);
  });
});
