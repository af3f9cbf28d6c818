import type { Candidate } from '@deja/contracts';
import { openPipeline, openRedis, queueScript, runScript, type RedisClient } from '@deja/redis';
import { RedisProcess } from '@deja/testing';
import type { Operation } from '../operation/operation.ts';
import { CredentialQuotas } from './credential-quotas.ts';
import { OperationQuotas } from './operation-quotas.ts';
import { QuotaAdmission } from './quota-admission.ts';

const SILENT = { error: () => undefined, info: () => undefined, warn: () => undefined };
const RESULT = { failure: null, headers: null, headersAtMs: null, retryAfterMs: null, usedTokens: 5 };

let server: RedisProcess;
let redis: RedisClient;
let quotas: CredentialQuotas;

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: SILENT as never });
  await redis.ping();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  quotas = new CredentialQuotas(redis, 'gw', SILENT);
});

const candidate = (name: string, concurrency?: number): Candidate =>
  ({
    model: 'm',
    upstreamModel: 'm',
    deployment: { id: `${name}/m`, provider: name },
    credential: { id: `${name}/main`, version: '1', weight: 1, limits: concurrency === undefined ? {} : { concurrency }, unavailableUntilMs: 0 },
  }) as unknown as Candidate;

async function reserved(candidates: Candidate[]): Promise<OperationQuotas> {
  const operation = new OperationQuotas(quotas, 10).prepare(candidates, 10);
  await decide(operation);
  return operation;
}

async function decide(operation: OperationQuotas): Promise<void> {
  const { call } = operation;
  if (call === null) return operation.decided(undefined);
  const pipeline = openPipeline(redis);
  queueScript(pipeline, call);
  const replies = await pipeline.exec();
  return operation.decided(replies?.[0]);
}

async function settle(operation: OperationQuotas): Promise<void> {
  await Promise.all(operation.settlement().map(({ script, keys, args }) => runScript(redis, script, keys, args)));
}

test('what the reserve round trip took is good for one call, and those before it are passed by without being asked again', async () => {
  const [full, roomy] = [candidate('a', 1), candidate('b', 1)];
  const first = await reserved([full, roomy]);
  expect(await first.admitted(full)).toBe(true);
  const second = await reserved([full, roomy]);
  expect([await second.admitted(full), await second.admitted(roomy)]).toEqual([false, true]);
});

test('a candidate that is tried after the first is charged by itself, and gives it back when it has ended', async () => {
  const [one, two] = [candidate('a', 1), candidate('b', 1)];
  const operation = await reserved([one, two]);
  expect([await operation.admitted(one), await operation.admitted(two)]).toEqual([true, true]);
  operation.ended(two, RESULT);
  operation.ended(one, RESULT);
  await settle(operation);
  const next = await reserved([one]);
  expect(await next.admitted(one)).toBe(true);
});

test('what was taken and never called is given back at settlement', async () => {
  const one = candidate('a', 1);
  await settle(await reserved([one]));
  expect(await (await reserved([one])).admitted(one)).toBe(true);
});

test('when all are used up, it is known when the first has room again', async () => {
  const one = candidate('a', 1);
  await (await reserved([one])).admitted(one);
  const second = await reserved([one]);
  expect(await second.admitted(one)).toBe(false);
  expect(second.waitMs).toBeGreaterThanOrEqual(0);
});

test('without Redis nobody is kept waiting', async () => {
  const gone = openRedis('redis://127.0.0.1:1', { role: 'commands', name: 'gone', logger: SILENT as never });
  const operation = new OperationQuotas(new CredentialQuotas(gone, 'gw', SILENT), 10).prepare([candidate('a', 1)], 10);
  expect(await operation.admitted(candidate('a', 1))).toBe(true);
  gone.disconnect();
});

test('an operation that reserved nothing asks for each call by itself', async () => {
  const admission = new QuotaAdmission(quotas);
  const one = candidate('a', 1);
  const operations = [{ quotas: null, estimatedPromptTokens: 1 }, { quotas: null, estimatedPromptTokens: 1 }] as unknown as [Operation, Operation];
  expect(await admission.admitted(one, operations[0])).toBe(true);
  expect(await admission.admitted(one, operations[1])).toBe(false);
});

test('a call of an operation that nobody settles, as a shadow’s, is given back when it ends', async () => {
  const admission = new QuotaAdmission(quotas);
  const one = candidate('a', 1);
  const copy = { quotas: null, estimatedPromptTokens: 1 } as unknown as Operation;
  expect(await admission.admitted(one, copy)).toBe(true);
  admission.ended(one, copy, RESULT);
  await redis.ping(); // what was written before is there
  expect(await admission.admitted(one, { quotas: null, estimatedPromptTokens: 1 } as unknown as Operation)).toBe(true);
});

test('a call that began beside the answer, before anything was reserved, is given back like any other', async () => {
  const admission = new QuotaAdmission(quotas);
  const [judge, one] = [candidate('judge', 1), candidate('a', 1)];
  const operation = { quotas: null, estimatedPromptTokens: 1 } as unknown as Operation;
  expect(await admission.admitted(judge, operation)).toBe(true);
  await decide(admission.prepare(operation, [one], 10));
  admission.ended(judge, operation, RESULT);
  await settle(operation.quotas!);
  expect(await (await reserved([judge])).admitted(judge)).toBe(true);
});
