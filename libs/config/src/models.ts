import type { ModelConfig, ProviderConfig } from './deja-config.ts';
import type { FormProblem } from './form.ts';
import type { FileModel } from './schema.ts';
import { didYouMean } from './suggestion.ts';

/** The name that stands for every name no other model has. */
const ANY = '*';

/** Models whose references are good. Adds what is wrong with the others to `problems`. */
export function modelsOf(models: FileModel[], providers: string[], problems: FormProblem[]): ModelConfig[] {
  const names = models.map((model) => model.name);
  // A model that only lists candidates cannot be served yet, so nothing may fall back to it.
  const servable = new Set(models.filter((model) => model.deployments !== undefined).map((model) => model.name));
  models.forEach((model, index) => checkModel(model, index, { names, providers }, problems));
  return models.flatMap((model) => {
    if (model.deployments === undefined) return [];
    return [{
      name: model.name,
      strategy: model.strategy,
      deployments: model.deployments.map((d) => ({ provider: d.provider, upstreamModel: d.model, weight: d.weight, priority: d.priority })),
      fallbacks: model.fallbacks.filter((name) => servable.has(name) || (servable.has(ANY) && !names.includes(name))),
    }];
  });
}

/** One provider alone serves every name; the simulated one serves its own. */
export function modelsWithoutFile(provider: ProviderConfig): ModelConfig[] {
  const name = provider.kind === 'simulated' ? 'simulated' : ANY;
  return [{ name, strategy: 'weighted', deployments: [{ provider: provider.name, upstreamModel: name, weight: 1, priority: 1 }], fallbacks: [] }];
}

function checkModel(model: FileModel, index: number, known: { names: string[]; providers: string[] }, problems: FormProblem[]): void {
  const path = ['models', index];
  if (known.names.indexOf(model.name) !== index) {
    problems.push({ path: [...path, 'name'], message: `the model ${JSON.stringify(model.name)} stands twice: give each name once, with all its deployments` });
  }
  if (model.deployments === undefined && model.candidates === undefined) {
    problems.push({ path, message: `deployments are missing: write deployments: [{ provider: ${known.providers[0] ?? 'openai'}, model: <name at the provider> }]` });
  }
  const seen = new Set<string>();
  model.deployments?.forEach((deployment, n) => {
    if (!known.providers.includes(deployment.provider)) {
      problems.push({ path: [...path, 'deployments', n, 'provider'], message: unknownName('provider', deployment.provider, known.providers) });
    }
    const id = `${deployment.provider}/${deployment.model}`;
    if (seen.has(id)) problems.push({ path: [...path, 'deployments', n], message: `${id} stands twice in this model: give it once, with the sum of the weights` });
    seen.add(id);
  });
  checkNames(model.name, model.fallbacks, [...path, 'fallbacks'], known.names, problems);
  checkNames(model.name, model.candidates ?? [], [...path, 'candidates'], known.names, problems);
  for (const reason of ['context_window', 'content_policy'] as const) {
    checkNames(model.name, model.fallbacks_on?.[reason] ?? [], [...path, 'fallbacks_on', reason], known.names, problems);
  }
}

/** Each must be another model of the file, or one that `*` takes. */
function checkNames(self: string, wanted: string[], path: (string | number)[], names: string[], problems: FormProblem[]): void {
  wanted.forEach((name, index) => {
    if (name === self) problems.push({ path: [...path, index], message: `${JSON.stringify(name)} is the model itself: name another one` });
    else if (name === ANY) problems.push({ path: [...path, index], message: '"*" stands for any name: write the name of a model' });
    else if (!names.includes(name) && !names.includes(ANY)) problems.push({ path: [...path, index], message: unknownName('model', name, names) });
  });
}

/** A model that deja itself asks must be one that is served. */
export function checkServed(name: string, models: ModelConfig[], path: (string | number)[], problems: FormProblem[]): void {
  const names = models.map((model) => model.name);
  if (models.length > 0 && !names.includes(name) && !names.includes(ANY)) problems.push({ path, message: unknownName('model', name, names) });
}

function unknownName(what: string, name: string, known: string[]): string {
  if (what === 'provider' && known.length === 1 && known[0] === 'simulated') {
    return `there is no provider ${JSON.stringify(name)}: describe it under providers, or set OPENAI_API_KEY for a provider named openai`;
  }
  const hint = didYouMean(name, known) || `: write one of ${[...new Set(known)].map((n) => JSON.stringify(n)).join(', ')}`;
  return `there is no ${what} ${JSON.stringify(name)}${hint}`;
}
