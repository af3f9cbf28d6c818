import { readFileSync } from 'node:fs';
import { alertsOf } from './alerts.ts';
import { boughtEmbedder } from './bought-embedder.ts';
import { checkCountedModels } from './counted-models.ts';
import type { DejaConfig, ModelConfig, ProviderConfig } from './deja-config.ts';
import type { Environment } from './environment.ts';
import { checkForm, type FormProblem } from './form.ts';
import { checkServed, modelsOf, modelsWithoutFile } from './models.ts';
import { pathText } from './path.ts';
import { openaiFromEnvironment, providerOf, simulatedProvider } from './providers.ts';
import { isOf, unquoted } from './quoted-values.ts';
import { resolveReferences } from './references.ts';
import { FILE, type FileConfig } from './schema.ts';
import { settingsOf } from './settings.ts';
import { withoutEffect } from './without-effect.ts';
import { YamlSource, type ConfigProblem } from './yaml-source.ts';

export type ParsedConfig =
  | { ok: true; config: DejaConfig; /** Sentences about what was written and does nothing. */ warnings: string[]; /** Files that `${file:…}` read. */ files: string[] }
  | { ok: false; errors: ConfigProblem[]; files: string[] };

type ConfigEnvironment = Pick<Environment, 'openaiApiKeys' | 'openaiBaseUrl'> & { variables: NodeJS.ProcessEnv };

/**
 * deja.yaml as text (null: there is no file) and the environment, made into a complete configuration. All problems are reported at
 * once, each with its place; then there is no configuration, because half of one is worse than the last good one.
 * `readFile` reads what `${file:…}` names.
 */
export function parseConfig(
  yamlText: string | null,
  environment: ConfigEnvironment,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): ParsedConfig {
  try {
    return parse(yamlText, environment, readFile);
  } catch (error) {
    return { ok: false, errors: [tooDeep(error)], files: [] };
  }
}

/**
 * What is wrong with a deja.yaml that somebody sent, and what has no effect in it. No reference in it is followed: neither a sentence nor the verdict may tell of a
 * file or a variable of this machine. What depends on one is left open, and said among the warnings.
 */
export function checkConfig(yamlText: string, environment: Omit<ConfigEnvironment, 'variables'>): { errors: ConfigProblem[]; warnings: ConfigProblem[] } {
  try {
    return check(yamlText, environment);
  } catch (error) {
    return { errors: [tooDeep(error)], warnings: [] };
  }
}

/** The stack ran out somewhere on the way down; where exactly says nothing. */
function tooDeep(error: unknown): ConfigProblem {
  if (!(error instanceof RangeError)) throw error;
  return { path: '', line: 1, column: 1, message: 'the file is nested too deeply to be a configuration' };
}

/** What a text says, with its places; or why it says nothing. */
function read(yamlText: string): { source: YamlSource; data: unknown } | { errors: ConfigProblem[] } {
  const source = new YamlSource(yamlText);
  const syntax = source.syntaxProblems();
  if (syntax.length > 0) return { errors: syntax };
  const written = dataOf(source);
  if ('error' in written) return { errors: [written.error] };
  if (written.data === null || written.data === undefined) return { errors: [source.problem([], 'the file is empty: write a configuration, or remove the file to run without one')] };
  return { source, data: written.data };
}

function check(yamlText: string, environment: Omit<ConfigEnvironment, 'variables'>): { errors: ConfigProblem[]; warnings: ConfigProblem[] } {
  const text = read(yamlText);
  if ('errors' in text) return { errors: theFirst(text.errors), warnings: [] };
  const { source } = text;
  const { data, referring } = resolveReferences(text.data, null);
  const form = checkForm(data);
  const found = [...form.problems];
  if (form.file !== null) assemble(form.file, { ...environment, variables: {} }, found);
  const errors = found.filter((problem) => !isOf(problem, referring)).map(({ path, message }) => source.problem(path, message));
  const open = referring.map(({ path }) => ({ path, message: 'refers to a variable or a file, which is not looked at here: whether its value will do is seen when the file is read' }));
  const idle = form.file === null ? [] : withoutEffect(data, form.file);
  const warnings = errors.length > 0 ? [] : [...idle, ...open].map(({ path, message }) => source.problem(path, message));
  return { errors: theFirst(errors.toSorted(byPlace)), warnings: theFirst(warnings.toSorted(byPlace)) };
}

const byPlace = (a: ConfigProblem, b: ConfigProblem): number => a.line - b.line || a.column - b.column;

/** A text can have a problem for every few characters of it: more than these are counted, not told. */
const MOST_TOLD = 1000;

function theFirst(problems: ConfigProblem[]): ConfigProblem[] {
  const next = problems[MOST_TOLD];
  if (next === undefined) return problems;
  return [...problems.slice(0, MOST_TOLD), { ...next, path: '', message: `and ${problems.length - MOST_TOLD} more from here on` }];
}

function parse(yamlText: string | null, environment: ConfigEnvironment, readFile: (path: string) => string): ParsedConfig {
  if (yamlText === null) return { ok: true, config: withoutFile(environment), warnings: [], files: [] };
  const text = read(yamlText);
  if ('errors' in text) return { ok: false, errors: theFirst(text.errors), files: [] };
  const { source } = text;
  const resolved = resolveReferences(text.data, { variables: environment.variables, readFile });
  const form = checkForm(resolved.data);
  const problems = [...resolved.problems, ...form.problems];
  const config = form.file === null ? null : assemble(form.file, environment, problems);
  if (problems.length > 0 || form.file === null || config === null) {
    const told = [...resolved.problems, ...problems.slice(resolved.problems.length).map((problem) => unquoted(problem, resolved.referring))];
    return { ok: false, errors: theFirst(told.map(({ path, message }) => source.problem(path, message)).toSorted(byPlace)), files: resolved.files };
  }
  const warnings = withoutEffect(resolved.data, form.file).map(({ path, message }) => `${pathText(path)} (line ${source.lineOf(path)}) ${message}`);
  return { ok: true, config, warnings, files: resolved.files };
}

function dataOf(source: YamlSource): { data: unknown } | { error: ConfigProblem } {
  try {
    return { data: source.toData() };
  } catch (error) {
    return { error: source.problem([], `not usable YAML: ${error instanceof Error ? error.message : String(error)}`) };
  }
}

function assemble(file: FileConfig, environment: ConfigEnvironment, problems: FormProblem[]): DejaConfig {
  const named = Object.entries(file.providers).map(([name, provider]) => providerOf(name, provider, problems));
  const providers = named.length > 0 ? named : [providerFromEnvironment(environment)];
  const models = modelList(file, providers, problems);
  const judge = file.content_safety.moderation?.model;
  if (judge !== undefined) checkServed(judge, models, ['content_safety', 'moderation', 'model'], problems);
  checkCachedModels(file, models, problems);
  checkEmbedder(file, providers, problems);
  checkCountedModels(file, models, problems);
  return { providers, models, settings: settingsOf(file, problems), ...alertsOf(file, problems) };
}

/** What the policy of the semantic cache says of a model that nobody serves would hold for nothing. */
function checkCachedModels({ cache: { semantic } }: FileConfig, models: ModelConfig[], problems: FormProblem[]): void {
  if (semantic.judge !== undefined) checkServed(semantic.judge.model, models, ['cache', 'semantic', 'judge', 'model'], problems);
  for (const name of Object.keys(semantic.max_wrong_rates)) checkServed(name, models, ['cache', 'semantic', 'max_wrong_rates', name], problems);
}

/** `<provider>:<model>` of a provider that there is not is a slip of the pen, such as `onxx:/models`. */
function checkEmbedder({ cache: { semantic } }: FileConfig, providers: ProviderConfig[], problems: FormProblem[]): void {
  const bought = boughtEmbedder(semantic.embedder);
  if (bought === null || providers.some(({ name }) => name === bought.provider)) return;
  problems.push({ path: ['cache', 'semantic', 'embedder'], message: `there is no provider '${bought.provider}': write built-in, onnx:<folder>, or a provider of this file with a model, as ${providers[0]?.name ?? 'openai'}:text-embedding-3-small` });
}

function modelList(file: FileConfig, providers: ProviderConfig[], problems: FormProblem[]): ModelConfig[] {
  if (file.models.length > 0) return modelsOf(file.models, providers.map((provider) => provider.name), problems);
  const [only, ...others] = providers;
  if (only !== undefined && others.length === 0) return modelsWithoutFile(only);
  problems.push({
    path: ['models'],
    message: `models are missing: with several providers, say which serves what, e.g. models: [{ name: "*", deployments: [{ provider: ${only?.name ?? 'openai'}, model: "*" }] }]`,
  });
  return [];
}

function providerFromEnvironment(environment: ConfigEnvironment): ProviderConfig {
  const configured = environment.openaiApiKeys.length > 0 || environment.openaiBaseUrl !== null;
  return configured ? openaiFromEnvironment(environment.openaiApiKeys, environment.openaiBaseUrl) : simulatedProvider();
}

function withoutFile(environment: ConfigEnvironment): DejaConfig {
  const provider = providerFromEnvironment(environment);
  return { providers: [provider], models: modelsWithoutFile(provider), settings: settingsOf(FILE.parse({}), []), alerts: [], smtp: null };
}
