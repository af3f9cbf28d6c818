// What telemetry costs a request: `node --conditions=@deja/source bench/telemetry-cost.ts`. Spans as the gateway makes them (one for the request, one
// for the upstream call, context in and out), unrecorded and exported; the active context over awaits; a log line.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { carrierOf, contextOf, createLogger, GEN_AI, startTelemetry, type Telemetry } from '../libs/telemetry/src/index.ts';

const REQUESTS = 100_000;
const AWAITS = 20;
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Processor time, all threads of this process, µs each; the best of three. */
async function microseconds(times: number, task: (n: number) => unknown): Promise<number> {
  const runs: number[] = [];
  for (let run = 0; run < 3; run++) {
    const before = process.cpuUsage();
    for (let n = 0; n < times; n++) {
      const done = task(n);
      if (done instanceof Promise) await done;
      if (n % 200 === 0) await turn();
    }
    const { user, system } = process.cpuUsage(before);
    runs.push((user + system) / times);
  }
  return Math.min(...runs);
}

function request({ tracer }: Telemetry): void {
  const parent = contextOf({ traceparent: TRACEPARENT });
  const server = tracer.startSpan('POST /v1/chat/completions', { kind: SpanKind.SERVER, attributes: { 'http.request.method': 'POST', 'http.route': '/v1/chat/completions' } }, parent);
  const inside = trace.setSpan(parent, server);
  const client = tracer.startSpan('chat gpt-4o-mini', { kind: SpanKind.CLIENT, attributes: { [GEN_AI.operationName]: 'chat', [GEN_AI.requestModel]: 'gpt-4o-mini', [GEN_AI.providerName]: 'openai' } }, inside);
  carrierOf(trace.setSpan(inside, client));
  client.setAttributes({ [GEN_AI.inputTokens]: 190, [GEN_AI.outputTokens]: 160 });
  client.end();
  server.setAttributes({ [GEN_AI.operationName]: 'chat', [GEN_AI.requestModel]: 'gpt-4o-mini', 'deja.cache': 'MISS', 'http.response.status_code': 200 });
  server.end();
}

async function awaits(): Promise<void> {
  for (let n = 0; n < AWAITS; n++) await Promise.resolve();
}

async function measure(): Promise<void> {
  const show = (what: string, value: number): void => console.log(`${what.padEnd(48)} ${value.toFixed(2).padStart(7)} µs`);
  const silent = startTelemetry({ service: 'bench', instance: 'bench', variables: {} });
  show('two spans, context in and out, not exported', await microseconds(REQUESTS, () => request(silent)));
  const span = trace.setSpan(ROOT_CONTEXT, silent.tracer.startSpan('x'));
  const plain = await microseconds(REQUESTS, awaits);
  const active = await microseconds(REQUESTS, () => context.with(span, awaits));
  show(`the active context over ${AWAITS} awaits`, active - plain);
  const logger = createLogger({ service: 'bench', instance: 'bench', destination: { write: () => {} } });
  show('a log line, masked', await microseconds(REQUESTS, (n) => logger.info({ request_id: '0190f3c2-aaaa-7bbb-8ccc-1234567890ab', model: 'gpt-4o-mini', n }, 'a request was answered')));
  await silent.shutdown();

  const sink = fork(import.meta.filename, ['sink']);
  const [port] = (await once(sink, 'message')) as [number];
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = `http://127.0.0.1:${port}`;
  process.env['OTEL_BSP_MAX_QUEUE_SIZE'] = String(REQUESTS); // none dropped, so that all are paid for
  const exporting = startTelemetry({ service: 'bench', instance: 'bench' });
  show('two spans, context in and out, exported', await microseconds(REQUESTS, () => request(exporting)));
  await exporting.shutdown();
  sink.disconnect();
}

function takeEverything(): void {
  const server = createServer((incoming, response) => {
    incoming.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit(0));
}

if (process.argv[2] === 'sink') takeEverything();
else await measure();
