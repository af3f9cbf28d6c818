import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';

const NANO = 1e9;
const MICRO = 1e6;
const RESOLUTION_MS = 20;

/**
 * CPU, memory and event loop of this process, read at each scrape. Returns how to stop.
 * Names: https://opentelemetry.io/docs/specs/semconv/runtime/nodejs-metrics/ and …/system/process-metrics/
 */
export function observeProcess(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  meter.createObservableCounter('process.cpu.time', { unit: 's', description: 'CPU time used' }).addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe(user / MICRO, { 'cpu.mode': 'user' });
    result.observe(system / MICRO, { 'cpu.mode': 'system' });
  });
  meter.createObservableGauge('process.memory.usage', { unit: 'By', description: 'Resident memory' }).addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter.createObservableGauge('v8js.memory.heap.used', { unit: 'By', description: 'JavaScript heap in use' }).addCallback((result) => result.observe(process.memoryUsage().heapUsed));
  meter.createObservableGauge('nodejs.eventloop.delay.p99', { unit: 's', description: 'How late timers were, p99 since the last scrape' }).addCallback((result) => {
    // The histogram counts from one tick of its own timer to the next, so its period is not delay.
    result.observe(Math.max(0, delay.percentile(99) / NANO - RESOLUTION_MS / 1000));
    delay.reset();
  });
  let before = performance.eventLoopUtilization();
  meter.createObservableGauge('nodejs.eventloop.utilization', { unit: '1', description: 'Share of time the event loop was busy since the last scrape' }).addCallback((result) => {
    const now = performance.eventLoopUtilization();
    result.observe(performance.eventLoopUtilization(now, before).utilization);
    before = now;
  });
  return () => delay.disable();
}
