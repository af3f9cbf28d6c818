import { readEnvironment } from '@deja/config';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { RedisProcess } from '@deja/testing';
import { startReplica } from '../src/replica.ts';

const MODELS = new URL('../../../models/', import.meta.url);
const logger = createLogger({ service: 'test', instance: 'test', level: 'silent' });
const telemetry = startTelemetry({ service: 'test', instance: 'test' });

afterAll(() => telemetry.shutdown());

test('a replica without Redis lives and is not ready, and its start can be given up', async () => {
  const gone = await RedisProcess.start();
  await gone.stop();
  const stopping = new AbortController();
  const environment = { ...readEnvironment({ REDIS_URL: gone.url }), opsPort: 0 };
  const starting = startReplica({ environment, models: MODELS, logger, telemetry }, stopping.signal);
  stopping.abort();
  const late = await starting;
  expect((await fetch(`http://127.0.0.1:${late.opsPort}/healthz`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${late.opsPort}/readyz`)).status).toBe(503);
  await late.close();
});
