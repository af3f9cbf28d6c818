// What telemetry costs a request: `node --conditions=@deja/source --experimental-transform-types bench/telemetry-cost.ts [rounds]`. Spans and metrics of a request with three
// calls, as the gateway makes them: without export, with one in ten traces recorded, and with all of them, exported to another process. Processor time of all threads
// of the process; rounds of the three take turns, medians of rounds are shown. Then what is as dear in any of them: a log line, a scrape, the active context.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { context, ROOT_CONTEXT, trace, type ProxyTracerProvider } from '@opentelemetry/api';
import { createLogger, startTelemetry, type Telemetry } from '@deja/telemetry';
import { OneRequest } from './telemetry-cost/one-request.ts';

const REQUESTS = 2000;
const AWAITS = 20;
/** What `OTEL_TRACES_SAMPLER_ARG` says; null: no endpoint is set. */
const MODES: readonly [ratio: string | null, called: string][] = [[null, 'not exported'], ['0.1', 'exported, 1 in 10'], ['1', 'exported, all']];
type Figures = Record<string, number>;

/** Processor time of this process, µs each; with what is delivered meanwhile. */
async function microseconds(task: (n: number) => unknown, times = REQUESTS): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < times; n++) {
    const done = task(n);
    if (done instanceof Promise) await done;
    if (n % 50 === 0) await turn();
  }
  await ((trace.getTracerProvider() as ProxyTracerProvider).getDelegate() as { forceFlush?(): Promise<void> }).forceFlush?.();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

async function requestFigures(one: OneRequest): Promise<Figures> {
  const bare = await microseconds(() => one.bare());
  return { spans: (await microseconds(() => one.traced())) - bare, metrics: await microseconds(() => one.count(), 5 * REQUESTS) };
}

async function awaits(): Promise<void> {
  for (let n = 0; n < AWAITS; n++) await Promise.resolve();
}

async function otherFigures(telemetry: Telemetry): Promise<Figures> {
  const logger = createLogger({ service: 'bench', instance: 'bench', pretty: false, destination: { write: () => {} } });
  const span = trace.setSpan(ROOT_CONTEXT, telemetry.tracer.startSpan('x'));
  const fields = { request_id: '0190f3c2-aaaa-7bbb-8ccc-1234567890ab', model: 'gpt-4o-mini' };
  const plain = await microseconds(awaits, 10 * REQUESTS);
  return {
    [`the active context over ${AWAITS} awaits`]: (await microseconds(() => context.with(span, awaits), 10 * REQUESTS)) - plain,
    'a log line, searched for secrets': await microseconds((n) => logger.info({ ...fields, n }, 'a request was answered'), 10 * REQUESTS),
    'a log line that has some': await microseconds((n) => logger.warn({ ...fields, n, err: new Error('refused: Bearer abcdefghijkl'), headers: { 'x-api-key': 'abc' } }, 'a call failed'), 5 * REQUESTS),
    'a scrape as Prometheus’s text': await microseconds(() => telemetry.metricsText(), 200),
    'a scrape as OpenMetrics': await microseconds(() => telemetry.openMetricsText(), 200),
  };
}

/** One process for each mode: what OpenTelemetry sets up it sets up once. Measures when it is told to. */
async function measuringProcess(): Promise<void> {
  const telemetry = startTelemetry({ service: 'bench', instance: 'bench' });
  const one = new OneRequest(telemetry);
  process.on('message', (what: 'request' | 'others') => void (what === 'request' ? requestFigures(one) : otherFigures(telemetry)).then((figures) => process.send?.(figures)));
  process.on('disconnect', () => void telemetry.shutdown().then(() => process.exit(0)));
  process.send?.({});
}

function takeEverything(): void {
  const server = createServer((incoming, response) => void incoming.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}')));
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit(0));
}

async function startMode(ratio: string | null, port: number): Promise<ChildProcess> {
  const exported = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: ratio ?? '', OTEL_BSP_MAX_QUEUE_SIZE: '1000000' }; // none dropped, so that all are paid for
  const child = fork(import.meta.filename, ['measure'], { env: { ...process.env, ...(ratio !== null && exported) } });
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, what: 'request' | 'others'): Promise<Figures> {
  child.send(what);
  const [figures] = (await once(child, 'message')) as [Figures];
  return figures;
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function prefixed(called: string, figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([part, value]) => [`${part} of a request, ${called}`, value]));
}

async function main(rounds: number): Promise<void> {
  const sink = fork(import.meta.filename, ['sink']);
  const [port] = (await once(sink, 'message')) as [number];
  const children: [called: string, child: ChildProcess][] = [];
  for (const [ratio, called] of MODES) children.push([called, await startMode(ratio, port)]);
  const figures = new Map<string, number[]>();
  for (let round = -1; round < rounds; round++) {
    for (const [at, [called, child]] of children.entries()) {
      const found = { ...prefixed(called, await ask(child, 'request')), ...(at === 0 && (await ask(child, 'others'))) };
      if (round >= 0) for (const [name, value] of Object.entries(found)) figures.set(name, [...(figures.get(name) ?? []), value]);
    }
  }
  console.log(`µs of processor time, medians of ${rounds} rounds`);
  for (const [name, values] of figures) console.log(`${name.padEnd(48)} ${median(values).toFixed(1).padStart(8)}`);
  for (const [, child] of children) child.disconnect();
  sink.disconnect();
}

if (process.argv[2] === 'sink') takeEverything();
else if (process.argv[2] === 'measure') await measuringProcess();
else await main(Number(process.argv[2] ?? 15));
