import { describe, expect, test } from '@jest/globals';
import { WorkersMetrics, type Told } from './workers-metrics.ts';

const OPEN_METRICS = '# TYPE requests counter\n# HELP requests Requests\nrequests_total{model="a"} 5 # {trace_id="f",span_id="e"} 1 2.000\n# TYPE process_cpu_time counter\nprocess_cpu_time_total{cpu_mode="user"} 1\n# EOF\n';
const PROMETHEUS = '# HELP requests_total Requests\n# TYPE requests_total counter\nrequests_total{model="a"} 5\n# HELP process_cpu_time_total CPU time used\n# TYPE process_cpu_time_total counter\nprocess_cpu_time_total{cpu_mode="user"} 1\n';

const NOBODY = { refused: 0 };

/** A worker that says `text`, whatever it is asked; null: it says nothing. */
const worker = (n: number, text: string | null, more: Partial<Told> = {}): Told => ({ n, serves: true, connections: 10 * n, restarts: 0, ask: async () => text as never, ...more });

describe('the metrics of a gateway with workers', () => {
  test.each([['OpenMetrics', OPEN_METRICS, 'openMetricsText', 'requests', /\n# EOF\n$/], ['Prometheus’s format', PROMETHEUS, 'metricsText', 'requests_total', /[0-9]\n$/]] as const)('describe, in %s, each metric once, and tell whose each sample is', async (_format, text, ask, family, end) => {
    const merged = (await new WorkersMetrics([worker(1, text), worker(2, text)], NOBODY)[ask]()).split('\n');
    const types = merged.filter((line) => line.startsWith('# TYPE'));
    expect(new Set(types).size).toBe(types.length);
    expect(types).toContain(`# TYPE ${family} counter`);
    expect(merged.filter((line) => line.startsWith('requests_total{')).map((line) => line.split(' ')[0])).toEqual(['requests_total{worker="1",model="a"}', 'requests_total{worker="2",model="a"}']);
    expect(merged.filter((line) => line.startsWith('process_cpu_time_total{')).map((line) => line.split(' ')[0])).toEqual([
      'process_cpu_time_total{worker="1",cpu_mode="user"}', 'process_cpu_time_total{worker="2",cpu_mode="user"}',
      'process_cpu_time_total{worker="primary",cpu_mode="user"}', 'process_cpu_time_total{worker="primary",cpu_mode="system"}',
    ]);
    expect(merged.join('\n')).toMatch(end);
  });

  test('leave out who does not answer in time, and count it; who is not there is not asked', async () => {
    const dead = worker(3, null, { serves: false, restarts: 2, ask: () => Promise.reject(new Error('asked')) });
    const metrics = new WorkersMetrics([worker(1, PROMETHEUS), worker(2, null), dead], { refused: 7 });
    await metrics.metricsText();
    const lines = (await metrics.metricsText()).split('\n');
    expect(lines.filter((line) => line.startsWith('requests_total{'))).toEqual(['requests_total{worker="1",model="a"} 5']);
    const of = (name: string): number[] => lines.filter((line) => line.startsWith(`${name}{`)).map((line) => Number(line.split(' ')[1]));
    expect(of('deja_gateway_worker_scrapes_missed_total')).toEqual([0, 2, 0]);
    expect(of('deja_gateway_worker_up')).toEqual([1, 1, 0]);
    expect(of('deja_gateway_worker_restarts_total')).toEqual([0, 0, 2]);
    expect(of('deja_gateway_worker_connections_total')).toEqual([10, 20, 30]);
    expect(lines).toContain('deja_gateway_overload_refused_total{worker="primary",reason="untaken",priority="interactive"} 7');
  });
});
