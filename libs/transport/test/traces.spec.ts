import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { context, trace } from '@opentelemetry/api';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { Stage, until } from './stage.ts';

const stage = new Stage();
let telemetry: Telemetry;
beforeAll(async () => {
  telemetry = startTelemetry({ service: 'transport', instance: 'test', variables: {} });
  await stage.open();
});
afterEach(() => stage.clear());
afterAll(async () => {
  await stage.close();
  await telemetry.shutdown();
});

test('a request and an event carry the trace of their sender into the handler, each its own', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  const traceIds = [];
  for (const work of [() => caller.call('echo', { n: 'a' }, { deadlineMs: 60_000 }), () => caller.notify('event', { n: 'b' })]) {
    const span = telemetry.tracer.startSpan('sender');
    traceIds.push(span.spanContext().traceId);
    await context.with(trace.setSpan(context.active(), span), work);
    span.end();
  }
  await until(() => seen.traceIds.length === 2);
  expect(seen.traceIds).toEqual(traceIds);
});

test('a message without a trace does not inherit one from the start of its replica', async () => {
  const span = telemetry.tracer.startSpan('starting');
  const { seen } = await context.with(trace.setSpan(context.active(), span), () => stage.replica());
  const caller = await stage.client();
  await stage.redis.client.xadd('deja:events:{router}', '*', 'm', '{"pattern":"event","data":{"n":"untraced"}}');
  await until(() => seen.traceIds.length === 1);
  expect(seen.traceIds[0]).not.toBe(span.spanContext().traceId);
  await caller.close();
});

test('metrics tell what became of the messages', async () => {
  const [, caller] = [await stage.replica({ maxDeliveries: 1 }), await stage.client()];
  await caller.call('echo', { n: 'a' }, { deadlineMs: 60_000 });
  await caller.notify('poison', { n: 'b' });
  await until(async () => (await stage.dead()).length === 1);
  await until(async () => (await telemetry.metricsText()).includes('outcome="set_aside"'));
  const text = await telemetry.metricsText();
  expect(text).toMatch(/deja_transport_messages_total\{[^}]*kind="requests",outcome="ok"/);
  expect(text).toMatch(/deja_transport_messages_total\{[^}]*kind="events",outcome="error"/);
  expect(text).toMatch(/deja_transport_in_flight/);
});
