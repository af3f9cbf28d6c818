// node --conditions=@deja/source tests/src/kubernetes/compare.ts <one> <other>: whether two renderings are the same objects. Each is a file of YAML, or
// `kustomize:<folder>` or `chart:<folder>`, `chart:<folder>:<file of values in it>`, which are rendered here. Namespaces and Secrets, which only one of two may have, are left out
// with `--workloads`. Says what differs, and exits with 1 then.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { renderChart } from './chart.ts';
import { differences } from './differences.ts';
import { kustomize } from './kustomize.ts';
import { chartFiles, fromDisk } from './manifests.ts';
import { comparable, readObjects, type JsonObject, type KubernetesObject } from './objects.ts';

function rendered(source: string): KubernetesObject[] {
  const [how = '', what = ''] = source.split(/:(.*)/s);
  if (how === 'kustomize') return kustomize(what, fromDisk);
  if (how === 'chart') {
    const [folder, values] = what.split(':');
    const files = chartFiles(folder);
    return renderChart(files, { name: 'deja', namespace: 'deja', values: parse(files.get(values ?? '') ?? '{}') as JsonObject });
  }
  return readObjects(readFileSync(source, 'utf8'), source);
}

const sources = process.argv.slice(2).filter((argument) => argument !== '--workloads');
const left = process.argv.includes('--workloads') ? ['Namespace/', 'Secret/'] : [];
const [one, other] = sources.map((source) => Object.fromEntries(Object.entries(comparable(rendered(source))).filter(([id]) => !left.some((kind) => id.startsWith(kind)))));
if (one === undefined || other === undefined) throw new Error('usage: compare.ts [--workloads] <one> <other>');
const found = differences(one, other);
for (const line of found) console.error(line);
process.exitCode = found.length > 0 ? 1 : 0;
