// Where the manifests are, and what they are when they are rendered.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { renderChart, type ChartFiles } from './chart.ts';
import { kustomize, type ReadFile } from './kustomize.ts';
import type { JsonObject, KubernetesObject } from './objects.ts';

const DEPLOY = join(import.meta.dirname, '..', '..', '..', 'deploy');
const KUBERNETES = join(DEPLOY, 'kubernetes');
const CHART = join(DEPLOY, 'helm', 'deja');

/** What `make-secrets.sh` prints, with values that are none: renderings are to be looked at, not to be run. */
const SECRETS = ['redis-url', 'database-url', 'postgres-password', 'admin-key', 'bootstrap-key', 'master-key', 'qdrant-api-key'].map((key) => `${key}=not-a-secret\n`).join('');

/** Files as they are on disk; a `secrets.env` that is not there, as it should not be in a repository, has values that are none. */
export const fromDisk: ReadFile = (path) => {
  try {
    return statSync(path).isDirectory() ? null : readFileSync(path, 'utf8');
  } catch (error) {
    if (path.endsWith('/secrets.env')) return SECRETS;
    throw error;
  }
};

/** A folder below deploy/kubernetes, rendered: `base`, `overlays/small`. */
export function renderedKustomization(folder: string): KubernetesObject[] {
  return kustomize(join(KUBERNETES, folder), fromDisk);
}

/** The base with components: what an overlay of your own that names them makes. */
export function renderedWithComponents(components: string[]): KubernetesObject[] {
  const overlay = join(KUBERNETES, 'overlays', 'of-your-own');
  const text = JSON.stringify({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: ['../../base'], components: components.map((name) => `../../components/${name}`) });
  return kustomize(overlay, (path) => (path === join(overlay, 'kustomization.yaml') ? text : fromDisk(path)));
}

/** All files of the chart by their path in it; links are followed, as Helm does. */
export function chartFiles(chart = CHART): ChartFiles {
  const files = new Map<string, string>();
  const look = (folder: string): void => {
    for (const name of readdirSync(join(chart, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (statSync(join(chart, path)).isDirectory()) look(path);
      else files.set(path, readFileSync(join(chart, path), 'utf8'));
    }
  };
  look('');
  return files;
}

/** The chart, rendered as the release `deja` in the namespace `deja`. */
export function renderedChart(values: JsonObject = {}, name = 'deja'): KubernetesObject[] {
  return renderChart(chartFiles(), { name, namespace: 'deja', values });
}

/** A file of values that the chart brings: `values-small.yaml`. */
export function valuesOf(file: string): JsonObject {
  return parse(readFileSync(join(CHART, file), 'utf8')) as JsonObject;
}
