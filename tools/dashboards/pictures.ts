// Draws every dashboard from what a Prometheus has: `node --conditions=@deja/source tools/dashboards/pictures.ts [--minutes 15] [--prometheus http://127.0.0.1:9090]`.
// Without a Prometheus it starts a cluster of the built apps with traffic of every kind, and one that watches it, for so many minutes. Writes docs/figures/dashboards.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ObservedCluster, PrometheusApi, readDashboards } from '@deja/testing';
import { picture } from './picture/dashboard.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FIGURES = join(ROOT, 'docs', 'figures', 'dashboards');
const RULES = ['recording', 'alerts'].map((name) => join(ROOT, 'deploy', 'prometheus', 'rules', `${name}.yaml`));
/** Between two rounds of traffic, of which each third is a quiet one. */
const PAUSE_MS = 300;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '15' }, prometheus: { type: 'string' } } });
const rangeS = Number(values.minutes) * 60;
if (!(rangeS > 0)) throw new Error('--minutes is a number above 0');

if (values.prometheus !== undefined) await draw(new PrometheusApi(values.prometheus));
else {
  const stage = await ObservedCluster.start({ ruleFiles: RULES, ownPostgres: true });
  try {
    const untilMs = Date.now() + rangeS * 1000;
    for (let n = 0; Date.now() < untilMs; n++) {
      await stage.round();
      await delay(PAUSE_MS * (1 + (n % 3)));
    }
    await draw(stage.prometheus);
  } finally {
    await stage.stop();
  }
}

async function draw(prometheus: PrometheusApi): Promise<void> {
  const toS = Math.floor(Date.now() / 1000);
  await mkdir(FIGURES, { recursive: true });
  for (const dashboard of await readDashboards(join(ROOT, 'deploy', 'grafana', 'dashboards'))) {
    const svg = await picture(dashboard, prometheus, { fromS: toS - rangeS, toS });
    await writeFile(join(FIGURES, `${dashboard.uid}.svg`), svg);
    console.log(`${dashboard.uid}.svg: ${Math.ceil(svg.length / 1024)} KiB`);
  }
}
