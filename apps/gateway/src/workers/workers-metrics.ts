import { mergedExpositions, type Exposition } from '@deja/telemetry';
import { REFUSED_DESCRIPTION } from '../overload/overload-metrics.ts';
import type { Untaken } from './untaken.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Of what is scraped every few seconds, and given up after ten. */
const METRICS_DEADLINE_MS = 2000;
const MICRO = 1e6;
/** The value of `worker` for the process that has them. */
const PRIMARY = 'primary';

type Format = 'metrics' | 'openMetrics';

/** What of a worker is asked for here. */
export type Told = Pick<WorkerProcess, 'n' | 'serves' | 'connections' | 'restarts' | 'ask'>;

interface Family {
  /** As Prometheus's text format names it. */
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  /** Labels as text, and the value. */
  samples: [labels: string, value: number][];
}

/** The metrics of all workers, each sample with its worker, and those of their primary process. Whoever does not answer in time is left out, and counted. */
export class WorkersMetrics {
  private readonly workers: readonly Told[];
  private readonly missed = new Map<Told, number>();

  constructor(workers: readonly Told[], private readonly untaken: Pick<Untaken, 'refused'>) {
    this.workers = workers;
  }

  metricsText(): Promise<string> {
    return this.text('metrics');
  }

  openMetricsText(): Promise<string> {
    return this.text('openMetrics');
  }

  private async text(format: Format): Promise<string> {
    const told = await Promise.all(this.workers.map((worker) => this.expositionOf(worker, format)));
    return mergedExpositions([...told.filter((one) => one !== null), { worker: null, text: familiesText(this.families(), format) }]);
  }

  private async expositionOf(worker: Told, format: Format): Promise<Exposition | null> {
    if (!worker.serves) return null;
    const text = await worker.ask(format, METRICS_DEADLINE_MS);
    if (text !== null) return { worker: String(worker.n), text };
    this.missed.set(worker, (this.missed.get(worker) ?? 0) + 1);
    return null;
  }

  private families(): Family[] {
    const each = (value: (worker: Told) => number): Family['samples'] => this.workers.map((worker) => [`worker="${worker.n}"`, value(worker)]);
    const { user, system } = process.cpuUsage();
    return [
      { name: 'deja_gateway_worker_up', type: 'gauge', help: '1 while this worker takes connections, else 0', samples: each(({ serves }) => (serves ? 1 : 0)) },
      { name: 'deja_gateway_worker_connections_total', type: 'counter', help: 'Connections that this worker was given and has taken', samples: each(({ connections }) => connections) },
      { name: 'deja_gateway_worker_restarts_total', type: 'counter', help: 'How often this worker was started again', samples: each(({ restarts }) => restarts) },
      { name: 'deja_gateway_worker_scrapes_missed_total', type: 'counter', help: 'Scrapes without the metrics of this worker, because it did not answer in time', samples: each((worker) => this.missed.get(worker) ?? 0) },
      { name: 'deja_gateway_overload_refused_total', type: 'counter', help: REFUSED_DESCRIPTION, samples: [[`worker="${PRIMARY}",reason="untaken",priority="interactive"`, this.untaken.refused]] },
      { name: 'process_cpu_time_total', type: 'counter', help: 'CPU time used', samples: [[`worker="${PRIMARY}",cpu_mode="user"`, user / MICRO], [`worker="${PRIMARY}",cpu_mode="system"`, system / MICRO]] },
      { name: 'process_memory_usage', type: 'gauge', help: 'Resident memory', samples: [[`worker="${PRIMARY}"`, process.memoryUsage.rss()]] },
    ];
  }
}

/** OpenMetrics names a counter without the `_total` of its samples, and tells the type first. */
function familiesText(families: readonly Family[], format: Format): string {
  const text = families.map(({ name, type, help, samples }) => {
    const family = format === 'openMetrics' && type === 'counter' ? name.slice(0, -'_total'.length) : name;
    const lines = samples.map(([labels, value]) => `${name}{${labels}} ${value}\n`).join('');
    const metadata = [`# HELP ${family} ${help}\n`, `# TYPE ${family} ${type}\n`];
    return `${(format === 'openMetrics' ? metadata.toReversed() : metadata).join('')}${lines}`;
  });
  return format === 'openMetrics' ? `${text.join('')}# EOF\n` : text.join('');
}
