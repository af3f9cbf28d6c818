// Renders a Helm chart without the program, as `helm template` does, so that the tests need Node alone.
import { parse } from 'yaml';
import { parseTemplate, type Expression, type Node } from './go-template.ts';
import { isJsonObject, readObjects, type Json, type JsonObject, type KubernetesObject } from './objects.ts';
import { FUNCTIONS, isTrue, printed } from './template-functions.ts';

/** A chart's files by their path in it: Chart.yaml, values.yaml, templates/…, and what templates read. */
export type ChartFiles = ReadonlyMap<string, string>;

export interface Release {
  name: string;
  namespace: string;
  /** Laid over the chart's own, as by `--values`: maps are merged, null takes away. */
  values: JsonObject;
}

interface Scope {
  dot: Json | undefined;
  variables: ReadonlyMap<string, Json | undefined>;
}

/** The objects of a release. Throws an error that names the template. */
export function renderChart(files: ChartFiles, release: Release): KubernetesObject[] {
  return [...renderTemplates(files, release)].flatMap(([name, text]) => (name.endsWith('.yaml') ? readObjects(text, name) : []));
}

/** The text of each template, partials (`_…`) aside. */
export function renderTemplates(files: ChartFiles, release: Release): Map<string, string> {
  const chart = parse(files.get('Chart.yaml') ?? '') as JsonObject;
  const values = merged(parse(files.get('values.yaml') ?? '') as JsonObject, release.values);
  const root: JsonObject = {
    Values: values,
    Release: { Name: release.name, Namespace: release.namespace, Service: 'Helm' },
    Chart: { Name: chart['name'], Version: chart['version'], AppVersion: chart['appVersion'] },
    Template: { BasePath: `${printed(chart['name'])}/templates` },
  };
  const templates = [...files].filter(([path]) => path.startsWith('templates/')).sort(([a], [b]) => a.localeCompare(b));
  const parsed = templates.map(([path, text]) => ({ path, nodes: parseTemplate(text, path) }));
  const named = new Map(parsed.flatMap(({ nodes }) => nodes.flatMap((node) => (node.kind === 'define' ? [[node.name, node.body] as const] : []))));
  const renderer = new Renderer(named, files);
  return new Map(parsed.filter(({ path }) => !path.includes('/_')).map(({ path, nodes }) => {
    try {
      return [path, renderer.render(nodes, { dot: root, variables: new Map([['', root]]) })];
    } catch (error) {
      throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }));
}

/** Values laid over values, as Helm does it. */
export function merged(under: JsonObject, over: JsonObject): JsonObject {
  const all: JsonObject = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = all[key];
    if (value === null) delete all[key];
    else all[key] = isJsonObject(value) && isJsonObject(below) ? merged(below, value) : value;
  }
  return all;
}

class Renderer {
  private readonly named: ReadonlyMap<string, Node[]>;
  private readonly files: ChartFiles;

  constructor(named: ReadonlyMap<string, Node[]>, files: ChartFiles) {
    this.named = named;
    this.files = files;
  }

  render(nodes: Node[], scope: Scope): string {
    let variables = scope.variables;
    let text = '';
    for (const node of nodes) {
      const here = { dot: scope.dot, variables };
      if (node.kind === 'text') text += node.text;
      else if (node.kind === 'print') text += printed(this.value(node.expression, here));
      else if (node.kind === 'set') variables = new Map([...variables, [node.variable, this.value(node.expression, here)]]);
      else if (node.kind === 'range') text += this.range(node, here);
      else if (node.kind !== 'define') text += this.branch(node, here);
    }
    return text;
  }

  private branch(node: Extract<Node, { kind: 'if' | 'with' }>, scope: Scope): string {
    for (const { condition, body } of node.branches) {
      const value = this.value(condition, scope);
      if (isTrue(value)) return this.render(body, node.kind === 'with' ? { ...scope, dot: value } : scope);
    }
    return this.render(node.otherwise, scope);
  }

  private range(node: Extract<Node, { kind: 'range' }>, scope: Scope): string {
    const over = this.value(node.over, scope);
    const entries: [Json, Json | undefined][] = Array.isArray(over) ? [...over.entries()] : isJsonObject(over) ? Object.keys(over).sort().map((key) => [key, over[key]]) : [];
    return entries.map(([key, value]) => {
      const variables = new Map(scope.variables);
      if (node.key !== null) variables.set(node.key, key);
      if (node.value !== null) variables.set(node.value, value);
      return this.render(node.body, { dot: value, variables });
    }).join('');
  }

  private value(expression: Expression, scope: Scope): Json | undefined {
    switch (expression.kind) {
      case 'literal':
        return expression.value;
      case 'dot':
        return scope.dot;
      case 'variable':
        if (!scope.variables.has(expression.name)) throw new Error(`there is no variable $${expression.name}`);
        return scope.variables.get(expression.name);
      case 'members':
        return expression.names.reduce<Json | undefined>((of, name) => {
          if (of === undefined || of === null) throw new Error(`there is nothing that could have .${name} (of .${expression.names.join('.')})`);
          return isJsonObject(of) ? of[name] : undefined;
        }, this.value(expression.of, scope));
      case 'call':
        return this.call(expression.name, expression.arguments.map((one) => this.value(one, scope)));
    }
  }

  private call(name: string, values: (Json | undefined)[]): Json | undefined {
    const [first, second] = values;
    if (name === 'include') {
      const body = this.named.get(printed(first));
      if (body === undefined) throw new Error(`there is no template ${printed(first)}`);
      return this.render(body, { dot: second, variables: new Map([['', second]]) });
    }
    if (name.endsWith('Files.Get')) return this.files.get(printed(first)) ?? '';
    if (name.endsWith('Files.Glob')) return this.glob(printed(first));
    const known = FUNCTIONS[name];
    if (known === undefined) throw new Error(`the function ${name} is not known here; teach it to tests/src/kubernetes/template-functions.ts`);
    return known(...values);
  }

  /** Files of one folder, by path: `dashboards/*.json`. */
  private glob(pattern: string): JsonObject {
    const [before = '', after = ''] = pattern.split('*');
    return Object.fromEntries([...this.files].filter(([path]) => path.startsWith(before) && path.endsWith(after) && !path.slice(before.length).includes('/')));
  }
}
