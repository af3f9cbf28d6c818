import { valueAt, type Path } from './path.ts';
import type { FileConfig } from './schema.ts';

/** Keys of the file that are understood but not acted upon yet. `*` is any member or index. */
const NOT_YET: readonly string[] = [
  'capture',
  'retention_days',
  'alerts',
];

/** Keys of a model that say something about its own deployments. */
const OF_DEPLOYMENTS = ['strategy', 'hedge', 'affinity'];

export interface Notice {
  path: Path;
  message: string;
}

/** What the user wrote and will not get. A configuration is never ignored in silence. `data` is the file as written, without defaults. */
export function withoutEffect(data: unknown, file: FileConfig): Notice[] {
  const notices = NOT_YET.flatMap((pattern) => matches(data, pattern.split('.'))).map((path): Notice => ({ path, message: 'has no effect in this version' }));
  file.models.forEach((model, index) => {
    if (model.candidates === undefined) return;
    for (const key of OF_DEPLOYMENTS) {
      const path = ['models', index, key];
      if (valueAt(data, path) !== undefined) notices.push({ path, message: 'has no effect on a model that chooses among candidates: write it in theirs' });
    }
  });
  for (const [name, provider] of Object.entries(file.providers)) {
    if (provider.api_version !== undefined && provider.kind !== 'azure-openai' && provider.kind !== 'gemini') {
      notices.push({ path: ['providers', name, 'api_version'], message: `has no effect: kind ${provider.kind} has no versions of its API to choose from` });
    }
    if (provider.kind !== 'simulated') continue;
    if (provider.base_url !== undefined) notices.push({ path: ['providers', name, 'base_url'], message: 'has no effect: a simulated provider calls nobody' });
    if ((provider.credentials ?? []).length > 0) notices.push({ path: ['providers', name, 'credentials'], message: 'has no effect: a simulated provider needs none' });
  }
  if (file.cache.scope === 'global') {
    notices.push({ path: ['cache', 'scope'], message: 'global has no effect in this version: tenant is used' });
  }
  return notices;
}

function matches(data: unknown, pattern: string[], path: Path = []): Path[] {
  const [step, ...rest] = pattern;
  if (step === undefined) return data === undefined ? [] : [path];
  if (typeof data !== 'object' || data === null) return [];
  const keys: (string | number)[] = step !== '*' ? [step] : Array.isArray(data) ? [...data.keys()] : Object.keys(data);
  return keys.flatMap((key) => matches(valueAt(data, [key]), rest, [...path, key]));
}
