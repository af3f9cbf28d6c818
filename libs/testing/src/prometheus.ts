import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, temporaryDirectory } from '@deja/launcher';
import { eventually } from './eventually.ts';
import { prometheusPrograms } from './prometheus-programs.ts';

export interface PrometheusOptions {
  /** `host:port` by job. */
  targets: Record<string, readonly string[]>;
  /** Absolute paths. */
  ruleFiles?: readonly string[];
  /** Between two scrapes, and two evaluations of the rules; one second unless given. */
  intervalS?: number;
}

/** A series as an answer has it: its labels, and its values by Unix time in seconds. */
export interface Series {
  labels: Record<string, string>;
  points: { atS: number; value: number }[];
}

/** A rule as Prometheus evaluated it last. */
export interface EvaluatedRule {
  group: string;
  name: string;
  type: 'alerting' | 'recording';
  query: string;
  labels: Record<string, string>;
  health: string;
  error: string;
}

interface Matrix {
  result: { metric: Record<string, string>; values?: [number, string][]; value?: [number, string] }[];
}

const START_MS = 20_000;
const SAID_AT_MOST = 20_000;

/** What one asks a Prometheus, wherever it runs. */
export class PrometheusApi {
  readonly url: string;

  /** @param url without a path */
  constructor(url: string) {
    this.url = url;
  }

  /** What an expression gives now. Rejects with what Prometheus says of one that it cannot evaluate. */
  async query(expr: string): Promise<Series[]> {
    return seriesOf(await this.get<Matrix>('query', { query: expr }));
  }

  /** What it gave between two Unix times, seconds. */
  async queryRange(expr: string, { fromS, toS, stepS }: { fromS: number; toS: number; stepS: number }): Promise<Series[]> {
    return seriesOf(await this.get<Matrix>('query_range', { query: expr, start: String(fromS), end: String(toS), step: String(stepS) }));
  }

  /** Values of a label among the series of a selector. */
  labelValues(label: string, selector: string): Promise<string[]> {
    return this.get<string[]>(`label/${label}/values`, { 'match[]': selector });
  }

  /** Trace ids that observations of a selector carry, between two Unix times, seconds. */
  async exemplars(selector: string, { fromS, toS }: { fromS: number; toS: number }): Promise<string[]> {
    const found = await this.get<{ exemplars: { labels: Record<string, string> }[] }[]>('query_exemplars', { query: selector, start: String(fromS), end: String(toS) });
    return found.flatMap(({ exemplars }) => exemplars.flatMap(({ labels }) => labels['trace_id'] ?? []));
  }

  async rules(): Promise<EvaluatedRule[]> {
    type Rule = Omit<EvaluatedRule, 'group' | 'error' | 'labels'> & { lastError?: string; labels?: Record<string, string> };
    const { groups } = await this.get<{ groups: { name: string; rules: Rule[] }[] }>('rules', {});
    return groups.flatMap(({ name: group, rules }) => rules.map(({ name, type, query, health, labels = {}, lastError = '' }) => ({ group, name, type, query, health, labels, error: lastError })));
  }

  private async get<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(answer.error ?? `Prometheus answered ${response.status}`);
    return answer.data;
  }
}

/** A real Prometheus of a test's own, which scrapes what it is told and keeps it in a temporary directory. Exemplars are kept, too. */
export class Prometheus extends PrometheusApi {
  private readonly child: ChildProcess;
  private readonly directory: string;

  private constructor(url: string, child: ChildProcess, directory: string) {
    super(url);
    this.child = child;
    this.directory = directory;
  }

  /** Resolves when it answers; rejects with what it said when it will not start. */
  static async start({ targets, ruleFiles = [], intervalS = 1 }: PrometheusOptions): Promise<Prometheus> {
    const { prometheus } = await prometheusPrograms();
    const directory = await temporaryDirectory('deja-prometheus-');
    const port = await freePort();
    const config = join(directory, 'prometheus.json');
    // JSON is YAML too.
    await writeFile(config, JSON.stringify({
      global: { scrape_interval: `${intervalS}s`, scrape_timeout: `${intervalS}s`, evaluation_interval: `${intervalS}s` },
      rule_files: ruleFiles,
      scrape_configs: Object.entries(targets).map(([job, hosts]) => ({ job_name: job, static_configs: [{ targets: hosts }] })),
    }));
    const child = spawn(prometheus, [`--config.file=${config}`, `--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=127.0.0.1:${port}`, '--enable-feature=exemplar-storage', '--log.level=warn'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-SAID_AT_MOST)));
    child.on('error', (error) => (said += error.message));
    const started = new Prometheus(`http://127.0.0.1:${port}`, child, directory);
    try {
      await eventually('Prometheus to answer', async () => {
        if (child.exitCode !== null) throw new Error('Prometheus ended');
        return fetch(`${started.url}/-/ready`).then(({ ok }) => ok, () => false);
      }, START_MS);
    } catch (error) {
      await started.stop();
      throw new Error(`Prometheus did not start: ${said}`, { cause: error });
    }
    return started;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null && this.child.pid !== undefined) {
      const exited = once(this.child, 'exit');
      this.child.kill('SIGKILL'); // nothing of it is kept
      await exited;
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

function seriesOf({ result }: Matrix): Series[] {
  return result.map(({ metric, values, value }) => ({
    labels: metric,
    points: (values ?? (value === undefined ? [] : [value])).map(([atS, text]) => ({ atS, value: Number(text.replace('Inf', 'Infinity')) })),
  }));
}
