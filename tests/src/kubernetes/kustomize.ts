// Renders a kustomization without the program: the part of kustomize that deploy/kubernetes uses, so that the tests need Node alone.
// deploy/verify-kubernetes.sh holds it to the real one. What is not known here is an error, never left out.
import { join, normalize } from 'node:path/posix';
import { parse } from 'yaml';
import { idOf, isJsonObject, readObjects, type Json, type KubernetesObject } from './objects.ts';
import { jsonPatch, strategicMerge, type Operation } from './patches.ts';

/** What a file says, by its path; null for a folder. Throws where there is nothing. */
export type ReadFile = (path: string) => string | null;

interface Generator {
  name: string;
  behavior?: 'create' | 'merge' | 'replace';
  files?: string[];
  literals?: string[];
  envs?: string[];
  options?: { disableNameSuffixHash?: boolean; labels?: Record<string, string>; annotations?: Record<string, string> };
}

interface Patch {
  path?: string;
  patch?: string;
  target?: { kind?: string; name?: string; labelSelector?: string };
}

interface Kustomization {
  kind: 'Kustomization' | 'Component';
  namespace?: string;
  resources?: string[];
  components?: string[];
  configMapGenerator?: Generator[];
  secretGenerator?: Generator[];
  generatorOptions?: Generator['options'];
  images?: { name: string; newName?: string; newTag?: string }[];
  replicas?: { name: string; count: number }[];
  patches?: Patch[];
}

const KNOWN = new Set(['apiVersion', 'kind', 'namespace', 'resources', 'components', 'configMapGenerator', 'secretGenerator', 'generatorOptions', 'images', 'replicas', 'patches']);

/** The objects of the kustomization in `folder`. Generated names have no hash at their end. */
export function kustomize(folder: string, read: ReadFile): KubernetesObject[] {
  return build(folder, read, []);
}

/** A component changes what is there already, `before`; a kustomization begins with nothing. The order is kustomize's own. */
function build(folder: string, read: ReadFile, before: KubernetesObject[]): KubernetesObject[] {
  const one = kustomizationOf(folder, read);
  let objects = before;
  for (const resource of one.resources ?? []) {
    const path = normalize(join(folder, resource));
    const text = read(path);
    objects = [...objects, ...(text === null ? build(path, read, []) : readObjects(text, path))];
  }
  for (const component of one.components ?? []) objects = build(normalize(join(folder, component)), read, objects);
  for (const generator of one.configMapGenerator ?? []) objects = generated(objects, 'ConfigMap', generator, one.generatorOptions, folder, read);
  for (const generator of one.secretGenerator ?? []) objects = generated(objects, 'Secret', generator, one.generatorOptions, folder, read);
  for (const patch of one.patches ?? []) objects = patched(objects, patch, folder, read);
  objects = withNamespace(objects, one.namespace);
  objects = withReplicas(objects, one.replicas ?? []);
  objects = withImages(objects, one.images ?? []);
  const ids = objects.map(idOf);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new Error(`${folder}: ${twice} is there twice`);
  return objects;
}

function kustomizationOf(folder: string, read: ReadFile): Kustomization {
  const path = join(folder, 'kustomization.yaml');
  const value = parse(textOf(path, read)) as Json;
  if (!isJsonObject(value)) throw new Error(`${path} is no map`);
  const unknown = Object.keys(value).find((key) => !KNOWN.has(key));
  if (unknown !== undefined) throw new Error(`${path}: ${unknown} is not known here; teach it to tests/src/kubernetes/kustomize.ts`);
  return value as unknown as Kustomization;
}

function textOf(path: string, read: ReadFile): string {
  const text = read(path);
  if (text === null) throw new Error(`${path} is a folder`);
  return text;
}

function generated(objects: KubernetesObject[], kind: 'ConfigMap' | 'Secret', generator: Generator, defaults: Generator['options'], folder: string, read: ReadFile): KubernetesObject[] {
  const data = dataOf(generator, folder, read);
  const at = objects.findIndex((object) => object.kind === kind && object.metadata.name === generator.name);
  const there = objects[at];
  const behavior = generator.behavior ?? 'create';
  if ((behavior === 'create') === (there !== undefined)) throw new Error(`${folder}: ${kind}/${generator.name} is ${there === undefined ? 'not there yet' : 'there already'}: it cannot be ${behavior}d`);
  const options = { ...defaults, ...generator.options };
  const { labels, annotations } = options;
  const former = there !== undefined && behavior === 'merge' && isJsonObject(there['data']) ? there['data'] : {};
  const metadata = there?.metadata ?? { name: generator.name, ...(labels && { labels }), ...(annotations && { annotations }) };
  const made: KubernetesObject = { apiVersion: 'v1', kind, metadata, data: { ...former, ...data }, ...(kind === 'Secret' && { type: 'Opaque' }) };
  return there === undefined ? [...objects, made] : objects.with(at, made);

  function dataOf({ files = [], literals = [], envs = [] }: Generator, from: string, readFrom: ReadFile): Record<string, string> {
    const ofFiles = files.map((file): [string, string] => {
      const [name = '', path = name] = file.split('=');
      return [name.split('/').at(-1) ?? name, textOf(join(from, path), readFrom)];
    });
    const lines = [...literals, ...envs.flatMap((env) => textOf(join(from, env), readFrom).split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')))];
    const ofLines = lines.map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
    const encode = (text: string): string => (kind === 'Secret' ? Buffer.from(text).toString('base64') : text);
    return Object.fromEntries([...ofFiles, ...ofLines].map(([key, text]) => [key, encode(text)]));
  }
}

function patched(objects: KubernetesObject[], { path, patch, target }: Patch, folder: string, read: ReadFile): KubernetesObject[] {
  const text = patch ?? textOf(join(folder, path ?? ''), read);
  const from = path ?? `${folder}: a patch`;
  if (target !== undefined) {
    const operations = parse(text) as Operation[];
    if (!Array.isArray(operations)) throw new Error(`${from}: with a target, only a JSON patch is known here`);
    const meant = objects.filter((object) => isMeant(object, target));
    if (meant.length === 0) throw new Error(`${from}: it is meant for nothing`);
    return objects.map((object) => (meant.includes(object) ? (jsonPatch(object, operations) as KubernetesObject) : object));
  }
  return readObjects(text, from).reduce((all, one) => {
    const at = all.findIndex((object) => idOf(object) === idOf(one));
    const there = all[at];
    if (there === undefined) throw new Error(`${from}: there is no ${idOf(one)}`);
    const { $patch: directive, ...changes } = one;
    if (directive === 'delete') return all.toSpliced(at, 1);
    return all.with(at, strategicMerge(there, changes, one.kind) as KubernetesObject);
  }, objects);
}

function isMeant({ kind, metadata }: KubernetesObject, target: NonNullable<Patch['target']>): boolean {
  const labels = (target.labelSelector ?? '').split(',').filter((part) => part !== '').map((part) => part.split('='));
  return (target.kind ?? kind) === kind && (target.name ?? metadata.name) === metadata.name && labels.every(([key = '', value]) => metadata.labels?.[key] === value);
}

function withNamespace(objects: KubernetesObject[], namespace: string | undefined): KubernetesObject[] {
  if (namespace === undefined) return objects;
  return objects.map((object) => {
    if (object.kind === 'Namespace') return { ...object, metadata: { ...object.metadata, name: namespace } };
    return { ...object, metadata: { ...object.metadata, namespace } };
  });
}

function withReplicas(objects: KubernetesObject[], replicas: { name: string; count: number }[]): KubernetesObject[] {
  return objects.map((object) => {
    const count = replicas.find(({ name }) => name === object.metadata.name)?.count;
    if (count === undefined || (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') || !isJsonObject(object['spec'])) return object;
    return { ...object, spec: { ...object['spec'], replicas: count } };
  });
}

function withImages(objects: KubernetesObject[], images: NonNullable<Kustomization['images']>): KubernetesObject[] {
  if (images.length === 0) return objects;
  const renamed = (value: Json | undefined, key: string): Json | undefined => {
    if (key === 'image' && typeof value === 'string') {
      const [, name = value, tag = ''] = /^(.*):([^:/]+)$/.exec(value) ?? [];
      const image = images.find((one) => one.name === name);
      return image === undefined ? value : `${image.newName ?? name}:${image.newTag ?? tag}`;
    }
    if (Array.isArray(value)) return value.map((element) => renamed(element, '') ?? null);
    return isJsonObject(value) ? Object.fromEntries(Object.entries(value).map(([member, of]) => [member, renamed(of, member)])) : value;
  };
  return objects.map((object) => (object.kind === 'Deployment' || object.kind === 'StatefulSet' ? ({ ...object, spec: renamed(object['spec'], 'spec') } as KubernetesObject) : object));
}
