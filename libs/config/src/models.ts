import type { DeploymentConfig, ModelConfig, ProviderConfig } from './deja-config.ts';
import type { FormProblem } from './form.ts';
import { PREFERENCES, type FileModel } from './schema.ts';
import { didYouMean } from './suggestion.ts';

/** The name that stands for every name no other model has. */
const ANY = '*';

type FileDeployment = NonNullable<FileModel['deployments']>[number];
interface Known {
  models: FileModel[];
  names: string[];
  providers: string[];
}

/** Models whose references are good. Adds what is wrong with the others to `problems`. */
export function modelsOf(models: FileModel[], providers: string[], problems: FormProblem[]): ModelConfig[] {
  const known: Known = { models, names: models.map((model) => model.name), providers };
  models.forEach((model, index) => checkModel(model, index, known, problems));
  return models.map((model) => {
    const { context_window: contextWindow = [], content_policy: contentPolicy = [] } = model.fallbacks_on ?? {};
    return {
      name: model.name,
      strategy: model.strategy,
      deployments: (model.deployments ?? []).map(deploymentOf),
      fallbacks: model.fallbacks,
      ...(contextWindow.length + contentPolicy.length > 0 && { fallbacksOn: { contextWindow, contentPolicy } }),
      ...(model.hedge && { hedge: { percentile: Number(model.hedge.after.slice(1)), maxShare: model.hedge.max_share } }),
      ...(!model.affinity && { affinity: false }),
      ...(model.candidates && { candidates: model.candidates, prefer: model.prefer ?? 'cost' }),
    };
  });
}

function deploymentOf(file: FileDeployment): DeploymentConfig {
  return {
    provider: file.provider,
    upstreamModel: file.model,
    weight: file.weight,
    priority: file.priority,
    ...(file.canary !== undefined && { canary: file.canary }),
    ...(file.shadow !== undefined && { shadow: file.shadow }),
    ...(file.region !== undefined && { region: file.region }),
    ...(file.tags.length > 0 && { tags: file.tags }),
  };
}

/** One provider alone serves every name; the simulated one serves its own. */
export function modelsWithoutFile(provider: ProviderConfig): ModelConfig[] {
  const name = provider.kind === 'simulated' ? 'simulated' : ANY;
  return [{ name, strategy: 'weighted', deployments: [{ provider: provider.name, upstreamModel: name, weight: 1, priority: 1 }], fallbacks: [] }];
}

function checkModel(model: FileModel, index: number, known: Known, problems: FormProblem[]): void {
  const path = ['models', index];
  const report = (steps: (string | number)[], message: string): void => void problems.push({ path: [...path, ...steps], message });
  if (known.names.indexOf(model.name) !== index) {
    report(['name'], `the model ${JSON.stringify(model.name)} stands twice: give each name once, with all its deployments`);
  }
  const asks = PREFERENCES.find((preference) => model.name.endsWith(`:${preference}`));
  const asked = asks && known.models.find((other) => other.candidates !== undefined && model.name === `${other.name}:${asks}`);
  if (asked) report(['name'], `${JSON.stringify(model.name)} is how a request asks ${JSON.stringify(asked.name)} for ${asks}: choose another name`);
  if (model.deployments === undefined && model.candidates === undefined) {
    report([], `deployments are missing: write deployments: [{ provider: ${known.providers[0] ?? 'openai'}, model: <name at the provider> }]`);
  }
  if (model.deployments !== undefined && model.candidates !== undefined) {
    report(['candidates'], 'a model has deployments or candidates: give the deployments a model of their own, and name it as a candidate');
  }
  if (model.prefer !== undefined && model.candidates === undefined) report(['prefer'], 'says how to choose among candidates, and there are none: take it out, or write candidates');
  checkDeployments(model.deployments ?? [], [...path, 'deployments'], known, problems);
  checkNames(model.name, model.fallbacks, [...path, 'fallbacks'], known.names, problems);
  checkCandidates(model, [...path, 'candidates'], known, problems);
  for (const reason of ['context_window', 'content_policy'] as const) {
    checkNames(model.name, model.fallbacks_on?.[reason] ?? [], [...path, 'fallbacks_on', reason], known.names, problems);
  }
}

function checkDeployments(deployments: FileDeployment[], path: (string | number)[], known: Known, problems: FormProblem[]): void {
  const seen = new Set<string>();
  deployments.forEach((deployment, n) => {
    if (!known.providers.includes(deployment.provider)) {
      problems.push({ path: [...path, n, 'provider'], message: unknownName('provider', deployment.provider, known.providers) });
    }
    const id = `${deployment.provider}/${deployment.model}`;
    if (seen.has(id)) problems.push({ path: [...path, n], message: `${id} stands twice in this model: give it once, with the sum of the weights` });
    seen.add(id);
    if (deployment.canary !== undefined && deployment.shadow !== undefined) {
      problems.push({ path: [...path, n, 'shadow'], message: 'a deployment is a canary or a shadow, not both: take one of them out' });
    }
  });
  if (deployments.length > 0 && deployments.every((deployment) => deployment.canary !== undefined || deployment.shadow !== undefined)) {
    problems.push({ path, message: 'canaries and shadows stand beside others: write at least one deployment without canary and shadow' });
  }
  // In thousandths of a millionth, because shares as written do not add up exactly: 0.1 + 0.2 + 0.7 is more than 1.
  const sum = deployments.reduce((total, deployment) => total + Math.round((deployment.canary ?? 0) * 1e9), 0) / 1e9;
  if (sum > 1) problems.push({ path, message: `the canaries' shares add up to ${sum}: write shares that are 1 at most together` });
}

/** Candidates are chosen among by what is known of their deployments, so each must have some. */
function checkCandidates(model: FileModel, path: (string | number)[], known: Known, problems: FormProblem[]): void {
  const candidates = model.candidates ?? [];
  checkNames(model.name, candidates, path, known.names, problems);
  candidates.forEach((name, n) => {
    if (candidates.indexOf(name) !== n) problems.push({ path: [...path, n], message: `${JSON.stringify(name)} stands twice: name each candidate once` });
    // What no model is named, "*" takes.
    const served = known.models.find((other) => other.name === name) ?? known.models.find((other) => other.name === ANY);
    if (name !== model.name && name !== ANY && served?.candidates !== undefined) {
      problems.push({ path: [...path, n], message: `${JSON.stringify(name)} chooses among candidates itself: name those, or other models that have deployments` });
    }
  });
}

/** Each must be another model of the file, or one that `*` takes. */
function checkNames(self: string, wanted: string[], path: (string | number)[], names: string[], problems: FormProblem[]): void {
  wanted.forEach((name, index) => {
    if (name === self) problems.push({ path: [...path, index], message: `${JSON.stringify(name)} is the model itself: name another one` });
    else if (name === ANY) problems.push({ path: [...path, index], message: '"*" stands for any name: write the name of a model' });
    else if (!names.includes(name) && !names.includes(ANY)) problems.push({ path: [...path, index], message: unknownName('model', name, names) });
  });
}

/** A model that the file names outside of `models` must be one that is served. */
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
