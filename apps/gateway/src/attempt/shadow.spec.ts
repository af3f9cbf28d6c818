import { describe, expect, test } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import type { Candidate, LateAttempt, Principal, Settings } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { Operation } from '../operation/operation.ts';
import { parseJsonBody } from '../validate/json-body.ts';
import { Attempts, type Question } from './attempts.ts';
import type { CallWatchers } from './call.ts';
import { CredentialLeases } from './credential-leases.ts';
import { AttemptFailure } from './failure.ts';
import { OutcomeReporter } from './outcome-reporter.ts';
import { copiedBody, Shadows } from './shadow.ts';
import { Upstream } from './upstream.ts';

const usage = { promptTokens: 10, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 5, reasoningTokens: 0 };
const silent = { warn: () => undefined, debug: () => undefined };
const deployment = { id: 'p/new', provider: 'p', kind: 'simulated', baseUrl: '', apiVersion: null, upstreamModel: 'new', credentials: [], unavailableUntilMs: 0 } as const;
const candidate: Candidate = { model: 'm', deployment: { ...deployment, credentials: [] }, credential: null, upstreamModel: 'new' };
const settingsWith = (unaryMs: number): Settings =>
  ({ timeouts: { connect_ms: 1000, first_byte_ms: 1000, idle_ms: 1000, total_ms: 60_000, unary_ms: unaryMs }, retries: { max_attempts: 3, backoff_ms: [1, 2], budget: 0.2 }, prices: {} }) as unknown as Settings;
const settings = settingsWith(30_000);

/** Attempts without a provider: what answers is in the question. */
function attempts(): Attempts {
  const leases = new CredentialLeases(async () => ({ leases: [] }), silent);
  const watchers: CallWatchers = { reporter: new OutcomeReporter(async () => undefined), tracer: trace.getTracer('test') };
  return new Attempts(new Upstream(), leases, watchers);
}

/** An answer that comes when the test lets it, and breaks off when its call is cancelled. */
function question(answer: Promise<string> | string = '{}'): Question {
  return {
    genAiOperation: 'chat',
    stream: false,
    promptTokens: 7,
    exchange: () => ({
      url: '',
      headers: {},
      body: '{}',
      dropped: ['seed'],
      simulated: (signal) => ({ status: 200, contentType: 'application/json', body: bodyOf(answer, signal) }),
      whole: (body) => ({ body, storable: true, complete: true, usage, said: () => [], text: '' }),
      stream: () => {
        throw new Error('a shadow is read whole');
      },
      failure: (status) => new AttemptFailure('overloaded', { status }),
    }),
  };
}

async function* bodyOf(answer: Promise<string> | string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const cancelled = Promise.withResolvers<never>();
  const cancel = (): void => cancelled.reject(signal.reason);
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel);
  yield Buffer.from(await Promise.race([answer, cancelled.promise]));
}

function operationOf(tenant = 't'): Operation {
  const operation = new Operation('chat/completions', {}, trace.getTracer('test').startSpan('request'));
  operation.principal = { tenant, key: 'k' } as Principal;
  return operation;
}

function shadows(bounds = { atOnce: 64, graceMs: 30_000 }): { shadows: Shadows; events: LateAttempt[]; counted: string[] } {
  const events: LateAttempt[] = [];
  const counted: string[] = [];
  const logger = { debug: () => undefined, error: (about: unknown) => void counted.push(`unexpected: ${JSON.stringify(about)}`) };
  return { shadows: new Shadows(attempts(), async (event) => void events.push(event), { shadow: (outcome) => counted.push(outcome) }, logger, bounds), events, counted };
}

describe('a shadow', () => {
  test('is recorded by itself, as an attempt of its operation that stands in no list of it', async () => {
    const { shadows: cast, events, counted } = shadows();
    const operation = operationOf();
    cast.cast(operation, () => question(), candidate, settings);
    await cast.close();
    expect(events).toMatchObject([{ kind: 'late_attempt', operation: operation.id, tenant: 't', attempt: { n: 0, shadow: true, deployment: 'p/new', outcome: 'ok', status: 200, usage, usageSource: 'upstream' } }]);
    expect(counted).toEqual(['ok']);
    expect({ attempts: operation.attempts, dropped: operation.droppedParams, served: operation.servedModel }).toEqual({ attempts: [], dropped: [], served: null });
  });

  test('asks nobody before the call that the client waits for has begun', async () => {
    const { shadows: cast, events } = shadows();
    let asked = false;
    const later: Question = { ...question(), exchange: (chosen) => ((asked = true), question().exchange(chosen)) };
    cast.cast(operationOf(), () => later, candidate, settings);
    expect(asked).toBe(false);
    await cast.close();
    expect(events).toHaveLength(1);
  });

  test.each(['the client’s leave', 'the end of its operation'])('goes on after %s', async (what) => {
    const { shadows: cast, events } = shadows();
    const operation = operationOf();
    const answer = Promise.withResolvers<string>();
    let asked = false;
    cast.cast(operation, () => ({ ...question(), exchange: (chosen) => ((asked = true), question(answer.promise).exchange(chosen)) }), candidate, settings);
    await eventually('the call', () => asked);
    if (what === 'the client’s leave') operation.abandon();
    else operation.end();
    answer.resolve('{}');
    await eventually('the record', () => events.length === 1);
    expect(events[0]?.attempt).toMatchObject({ outcome: 'ok', usage });
    await cast.close();
  });

  test('ends at its own deadline, and what it had the provider do is in its record', async () => {
    const { shadows: cast, events, counted } = shadows();
    cast.cast(operationOf(), () => question(new Promise(() => undefined)), candidate, settingsWith(5));
    await eventually('the record', () => events.length === 1);
    expect(events[0]?.attempt).toMatchObject({ outcome: 'error', errorCode: 'upstream_timeout', usage: { promptTokens: 7, completionTokens: 0 }, usageSource: 'estimated' });
    expect(counted).toEqual(['error']);
    await cast.close();
  });

  test('that fails is a row like any other, and nobody’s failure', async () => {
    const { shadows: cast, events, counted } = shadows();
    const failing: Question = { ...question(), exchange: (chosen) => ({ ...question().exchange(chosen), simulated: () => { throw new AttemptFailure('overloaded', { status: 503 }); } }) };
    cast.cast(operationOf(), () => failing, candidate, settings);
    await cast.close();
    expect(events).toMatchObject([{ attempt: { outcome: 'error', status: 503, errorCode: 'upstream_error', usage: null } }]);
    expect(counted).toEqual(['error']);
  });

  test('that cannot be put in the deployment’s words is no call, and is counted as dropped', async () => {
    const { shadows: cast, events, counted } = shadows();
    const unsayable: Question = { ...question(), exchange: () => { throw new AttemptFailure('caller'); } };
    cast.cast(operationOf(), () => unsayable, candidate, settings);
    await cast.close();
    expect({ events, counted }).toEqual({ events: [], counted: ['dropped'] });
  });
});

describe('shadows', () => {
  test('are so many at once and no more; the rest is counted, and a place that is free again is used', async () => {
    const { shadows: cast, events, counted } = shadows({ atOnce: 2, graceMs: 30_000 });
    const answer = Promise.withResolvers<string>();
    for (let i = 0; i < 5; i++) cast.cast(operationOf(), () => question(answer.promise), candidate, settings);
    expect(counted).toEqual(['dropped', 'dropped', 'dropped']);
    answer.resolve('{}');
    await eventually('both records', () => events.length === 2);
    await cast.close();
    expect(counted).toEqual(['dropped', 'dropped', 'dropped', 'ok', 'ok']);
  });

  test('are waited for by a gateway that stops', async () => {
    const { shadows: cast, events } = shadows();
    const answer = Promise.withResolvers<string>();
    cast.cast(operationOf(), () => question(answer.promise), candidate, settings);
    const closed = cast.close();
    answer.resolve('{}');
    await closed;
    expect(events.map(({ attempt }) => attempt.outcome)).toEqual(['ok']);
  });

  test('that do not end are cancelled by a gateway that stops, and recorded with what was asked of the provider', async () => {
    const { shadows: cast, events, counted } = shadows({ atOnce: 64, graceMs: 0 });
    let asked = false;
    const endless: Question = { ...question(), exchange: (chosen) => ((asked = true), question(new Promise(() => undefined)).exchange(chosen)) };
    cast.cast(operationOf(), () => endless, candidate, settings);
    await eventually('the call', () => asked);
    await cast.close();
    expect(events).toMatchObject([{ attempt: { outcome: 'cancelled', errorCode: null, usage: { promptTokens: 7 }, usageSource: 'estimated' } }]);
    cast.cast(operationOf(), () => question(), candidate, settings);
    expect(counted).toEqual(['cancelled', 'dropped']);
  });
});

describe('a copied request', () => {
  const copied = (text: string, endpoint = 'chat/completions'): string => copiedBody(parseJsonBody(Buffer.from(text)), endpoint).text;

  test('asks for a whole answer now, and is otherwise the client’s own, byte for byte', () => {
    expect(JSON.parse(copied('{"model":"m","stream":true,"stream_options":{"include_usage":true},"temperature":0.70}'))).toEqual({ model: 'm', temperature: 0.7 });
    expect(copied('{"model":"m","temperature":0.70,"stream":true}')).toContain('"temperature":0.70');
    expect(JSON.parse(copied('{"model":"m","background":true}', 'responses'))).toEqual({ model: 'm', store: false });
  });

  test('is stored with nobody', () => {
    expect(JSON.parse(copied('{"model":"m","store":true}'))).toEqual({ model: 'm', store: false });
    expect(JSON.parse(copied('{"model":"m"}', 'responses'))).toEqual({ model: 'm', store: false });
    expect(JSON.parse(copied('{"model":"m","store":null}', 'responses'))).toEqual({ model: 'm', store: false });
  });

  test('that needs no change is the same', () => {
    const body = parseJsonBody(Buffer.from('{"model":"m","n":1}'));
    expect(copiedBody(body, 'chat/completions')).toBe(body);
  });
});
