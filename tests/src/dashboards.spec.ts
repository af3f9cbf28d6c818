import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { asSent, ObservedCluster, prometheusPrograms, readDashboards, selectorsIn, type DashboardView, type EvaluatedRule, type ReadDashboard, type Series } from '@deja/testing';
import { eventually } from './client.ts';
import { TraceCollector } from './trace-collector.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DASHBOARDS = join(ROOT, 'deploy', 'grafana', 'dashboards');
const RULES = ['recording', 'alerts'].map((name) => join(ROOT, 'deploy', 'prometheus', 'rules', `${name}.yaml`));
/** The whole of the test, as far as graphs are concerned. */
const VIEW: DashboardView = { window: '10s', rangeS: 120 };
const STEP_S = 2;
/** By then every figure has moved, also on a machine that has little time. */
const MOVED_MS = 120_000;
const AT_ONCE = 8;

/** Series that alerts look at and that a healthy cluster does not have. */
const ABSENT_WHILE_WELL: Record<string, string> = {
  'deja_usage_alerts_readings_failed_total': 'its label is the metric whose reading failed, and none has',
  'deja_transport_call_duration_count{outcome=~"error|timeout|unavailable"}': 'calls between the apps succeed',
  'deja_semantic_cache_lookups_total{outcome=~"embedder_unavailable|index_unavailable|too_late"}': 'embedder and index are there and in time',
};

/** What is to have a value, and what it is called when it has none. */
interface Wanted {
  what: string;
  expr: string;
}

let dashboards: ReadDashboard[];
let collector: TraceCollector;
let stage: ObservedCluster;
let startedS: number;

beforeAll(async () => {
  await prometheusPrograms(); // an installation takes its time, and is none of the cluster's
  [dashboards, collector] = await Promise.all([readDashboards(DASHBOARDS), TraceCollector.start()]);
  startedS = Date.now() / 1000;
  stage = await ObservedCluster.start({ ruleFiles: RULES, env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER: 'always_on' } });
}, 240_000);
afterAll(async () => {
  await stage?.stop();
  await collector?.close();
});

test('the dashboards in deploy/ are those that tools/dashboards makes', async () => {
  const { stderr } = await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'tools', 'dashboards', 'generate.ts'), '--check']);
  expect(stderr).toBe('');
});

test('every panel of every dashboard says what it shows', () => {
  const silent = dashboards.flatMap(({ uid, panels }) => panels.filter(({ title, description, queries, unit }) => title === '' || description === '' || unit === '' || queries.length === 0).map(({ title }) => `${uid}: ${title}`));
  expect(silent).toEqual([]);
  expect(dashboards.map(({ uid }) => uid).sort()).toEqual(['deja-cache', 'deja-cost', 'deja-internals', 'deja-latency', 'deja-overview', 'deja-providers', 'deja-tenants']);
});

describe('in a cluster that everything happens to,', () => {
  test('every query of every panel has figures, every list has values, and every rule is evaluated', async () => {
    const wanted = [...queries(dashboards), ...(await rulesOf())];
    await allHaveFigures(wanted);
    await Promise.all(dashboards.flatMap(({ annotations }) => annotations).map((expr) => stage.prometheus.query(expr)));
    expect(await emptyLists()).toEqual([]);
    expect((await stage.prometheus.rules()).filter(({ health, error }) => health !== 'ok' || error !== '')).toEqual([]);
  }, MOVED_MS + 30_000);

  test('points of graphs that are to lead to traces do', async () => {
    const selectors = new Set(dashboards.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries.filter(({ exemplar }) => exemplar).flatMap(({ expr }) => selectorsIn(asSent(expr, VIEW))))));
    expect(selectors.size).toBeGreaterThan(0);
    for (const selector of selectors) {
      const traces = await eventually(`a trace id at ${selector}`, async () => {
        const ids = await stage.prometheus.exemplars(selector, { fromS: startedS, toS: Date.now() / 1000 });
        if (ids.length === 0) await stage.round();
        return ids.length > 0 && ids;
      }, 30_000);
      expect(traces[0]).toMatch(/^[0-9a-f]{32}$/);
    }
  }, 60_000);
});

/** All that is asked, and the metrics behind a 0 that stands where there are none: a name that nothing has would never be noticed. */
function queries(all: readonly ReadDashboard[]): Wanted[] {
  const asked = all.flatMap(({ uid, panels }) => panels.flatMap((panel) => panel.queries.map(({ expr }) => ({ what: `${uid}: ${panel.title}: ${expr}`, expr: asSent(expr, VIEW) }))));
  const named = asked.filter(({ expr }) => expr.includes('or vector(0)')).flatMap(({ what, expr }) => selectorsIn(expr).map((selector) => ({ what, expr: selector.replace(/\{.*$/s, '') })));
  return [...asked, ...named.filter(({ expr }) => !(expr in ABSENT_WHILE_WELL))];
}

/** What each recording rule records, and all that each alert looks at. */
async function rulesOf(): Promise<Wanted[]> {
  const rules = await eventually('the rules', async () => { const found = await stage.prometheus.rules(); return found.length > 0 && found; });
  const looked = (rule: EvaluatedRule): string[] => (rule.type === 'recording' ? [recorded(rule)] : selectorsIn(rule.query).filter((selector) => !(selector in ABSENT_WHILE_WELL)));
  return rules.flatMap((rule) => looked(rule).map((expr) => ({ what: `${rule.type} rule ${rule.name}: ${expr}`, expr })));
}

function recorded({ name, labels }: EvaluatedRule): string {
  const own = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return own.length === 0 ? name : `${name}{${own.join(', ')}}`;
}

/** Makes traffic until all of these have had a figure at some time; rejects with those that had none. */
async function allHaveFigures(wanted: readonly Wanted[]): Promise<void> {
  let missing = wanted;
  await eventually('a figure for every query', async () => {
    await stage.round();
    missing = await withoutFigures(missing);
    return missing.length === 0;
  }, MOVED_MS).catch(() => {
    throw new Error(`${missing.length} of ${wanted.length} have no figures:\n${missing.map(({ what }) => what).join('\n')}`);
  });
}

async function withoutFigures(wanted: readonly Wanted[]): Promise<Wanted[]> {
  const missing: Wanted[] = [];
  const waiting = [...wanted];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { what, expr } = next;
      const series = await stage.prometheus.queryRange(expr, { fromS: startedS, toS: Date.now() / 1000, stepS: STEP_S }).catch((error: unknown) => {
        throw new Error(`${what}: ${String(error)}`);
      });
      if (!hasFigures(series)) missing.push(next);
    }
  }));
  return missing;
}

const hasFigures = (series: readonly Series[]): boolean => series.some(({ points }) => points.some(({ value }) => Number.isFinite(value)));

async function emptyLists(): Promise<string[]> {
  const lists = dashboards.flatMap(({ uid, variables }) => variables.map((variable) => ({ uid, ...variable })));
  const values = await Promise.all(lists.map(({ label, selector }) => stage.prometheus.labelValues(label, asSent(selector, VIEW))));
  return lists.filter((_, i) => values[i]!.length === 0).map(({ uid, name }) => `${uid}: $${name}`);
}
