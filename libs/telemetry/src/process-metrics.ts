import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';

const NANO = 1e9;
const MICRO = 1e6;

/** CPU, memory and event-loop delay of this process, read at each scrape. Returns how to stop. */
export function observeProcess(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  meter.createObservableCounter('process.cpu.time', { unit: 's', description: 'CPU seconds used' }).addCallback((result) => {
    const { user, system } = process.cpuUsage();
    result.observe(user / MICRO, { mode: 'user' });
    result.observe(system / MICRO, { mode: 'system' });
  });
  meter.createObservableGauge('process.memory.usage', { unit: 'By', description: 'Resident memory' }).addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter.createObservableGauge('process.heap.used', { unit: 'By', description: 'JavaScript heap in use' }).addCallback((result) => result.observe(process.memoryUsage().heapUsed));
  meter.createObservableGauge('nodejs.eventloop.delay.p99', { unit: 's', description: 'p99 since the last scrape' }).addCallback((result) => {
    result.observe(delay.percentile(99) / NANO);
    delay.reset();
  });
  return () => delay.disable();
}
