// Writes what of deploy/kubernetes and deploy/helm follows from something else: the version of package.json into images and the chart, and the rules of
// deploy/prometheus as the Prometheus operator takes them. `node tools/kubernetes/derived.ts [--check]`; with --check it writes nothing, names the files
// that are not what it would write, and fails.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const { version } = JSON.parse(text('package.json')) as { version: string };
const LABELS = '{ app.kubernetes.io/name: deja, app.kubernetes.io/instance: deja }';
const APPS = ['gateway', 'router', 'semantic-cache', 'usage-worker'];

function text(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function prometheusRules(): string {
  const objects = ['alerts', 'recording'].map((name) => {
    const rules = text(`deploy/prometheus/rules/${name}.yaml`).trimEnd().split('\n').map((line) => (line === '' ? '' : `  ${line}`));
    return `apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: deja-${name}\n  labels: ${LABELS}\nspec:\n${rules.join('\n')}\n`;
  });
  return `# Made of deploy/prometheus/rules by tools/kubernetes/derived.ts.\n${objects.join('---\n')}`;
}

const PRODUCTION = 'deploy/kubernetes/overlays/production/kustomization.yaml';
const CHART = 'deploy/helm/deja/Chart.yaml';
const wanted = new Map([
  ['deploy/kubernetes/components/monitoring/prometheus-rules.yaml', prometheusRules()],
  ...APPS.map((app): [string, string] => {
    const path = `deploy/kubernetes/base/${app}.yaml`;
    return [path, text(path).replace(/(image: deja-[a-z-]+):\S+/, `$1:${version}`)];
  }),
  [PRODUCTION, text(PRODUCTION).replaceAll(/newTag: [^ }]+/g, `newTag: ${version}`)],
  [CHART, text(CHART).replaceAll(/^(version|appVersion): .*$/gm, `$1: ${version}`)],
]);

for (const [path, content] of wanted) {
  if (text(path) === content) continue;
  if (process.argv.includes('--check')) {
    console.error(`${path} is not what follows from package.json and deploy/prometheus: node tools/kubernetes/derived.ts`);
    process.exitCode = 1;
  } else {
    writeFileSync(join(ROOT, path), content);
    console.log(`wrote ${path}`);
  }
}
