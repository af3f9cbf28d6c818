import { boughtEmbedder, type BoughtEmbedder } from './bought-embedder.ts';
import { valueAt, type Path } from './path.ts';
import type { FileConfig } from './schema.ts';

/** Keys of the file that are understood but not acted upon yet. `*` is any member or index. */
const NOT_YET: readonly string[] = [
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
  const unserved = unservedEmbedder(file);
  if (unserved !== null) {
    const { provider, model } = unserved;
    notices.push({ path: ['cache', 'semantic', 'embedder'], message: `there is no model ${JSON.stringify(model)} that provider ${JSON.stringify(provider)} serves: no similar question will be found` });
  }
  return notices;
}

/** The embedder whose vectors are to be bought and that nobody serves; null where there is none. */
function unservedEmbedder({ cache: { semantic }, models, providers }: FileConfig): BoughtEmbedder | null {
  const bought = semantic.enabled ? boughtEmbedder(semantic.embedder) : null;
  if (bought === null) return null;
  // Without a list of models the only provider serves every name; without providers that is OPENAI_API_KEY's.
  const [only = 'openai'] = Object.keys(providers);
  const model = models.find(({ name }) => name === bought.model) ?? models.find(({ name }) => name === '*');
  const served = models.length === 0 ? [only] : (model?.deployments ?? []).map(({ provider }) => provider);
  return served.includes(bought.provider) ? null : bought;
}

function matches(data: unknown, pattern: string[], path: Path = []): Path[] {
  const [step, ...rest] = pattern;
  if (step === undefined) return data === undefined ? [] : [path];
  if (typeof data !== 'object' || data === null) return [];
  const keys: (string | number)[] = step !== '*' ? [step] : Array.isArray(data) ? [...data.keys()] : Object.keys(data);
  return keys.flatMap((key) => matches(valueAt(data, [key]), rest, [...path, key]));
}
