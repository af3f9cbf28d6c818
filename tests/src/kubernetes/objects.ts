import { parseAllDocuments } from 'yaml';

/** What YAML or JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json | undefined };
export type JsonObject = { [member: string]: Json | undefined };

/** One Kubernetes object, of any kind. */
export interface KubernetesObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
}

/** The objects of a YAML stream; empty documents are none. Throws an error with line and column for what is no YAML, and for what is no object. */
export function readObjects(text: string, from: string): KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${from}: ${error.message}`);
    const value = document.toJS() as Json;
    if (value === null) return [];
    if (!isObject(value)) throw new Error(`${from}: not a Kubernetes object: ${JSON.stringify(value).slice(0, 100)}`);
    return [value];
  });
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isObject(value: Json): value is KubernetesObject {
  return isJsonObject(value) && typeof value['apiVersion'] === 'string' && typeof value['kind'] === 'string' && isJsonObject(value['metadata']) && typeof value['metadata']['name'] === 'string';
}

/** `Deployment/deja-gateway`. */
export function idOf(object: { kind: string; metadata: { name: string } }): string {
  return `${object.kind}/${object.metadata.name}`;
}

const GENERATED_SUFFIX = /-[a-z0-9]{10}$/;
/** Lists of which the order means nothing; a patch may put its elements first or last. (Variables that refer to others are a rule of their own.) */
const UNORDERED = ['env', 'volumes'];
/** Of a chart alone: they say which release made an object, and change nothing else. */
const RELEASE_LABELS = ['helm.sh/chart', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version'];

/**
 * The same objects as everybody would write them: sorted by id, without namespace, without the labels by which Helm knows its own, without checksums of
 * configuration, with variables and volumes by name, and with generated names without their hash. What two tools render is equal where this is.
 */
export function comparable(objects: KubernetesObject[]): Record<string, Json> {
  const generated = new Set(objects.filter(({ kind, metadata }) => (kind === 'ConfigMap' || kind === 'Secret') && GENERATED_SUFFIX.test(metadata.name)).map(({ metadata }) => metadata.name));
  const plain = (value: Json): Json => {
    if (typeof value === 'string') return generated.has(value) ? value.replace(GENERATED_SUFFIX, '') : value;
    if (Array.isArray(value)) return value.map(plain);
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(Object.keys(value).sort().flatMap((key) => {
      const member = value[key];
      if (member === undefined || member === null || RELEASE_LABELS.includes(key) || key.startsWith('checksum/')) return [];
      return [[key, plain(UNORDERED.includes(key) ? byName(member) : member)]];
    }));
  };
  const entries = objects.map((object) => {
    const { namespace: _, ...metadata } = object.metadata;
    const data = object.kind === 'Secret' && isJsonObject(object['data']) ? { data: onOneLine(object['data']) } : {};
    const one = plain({ ...object, ...data, metadata: withoutEmpty(metadata) }) as KubernetesObject;
    return [idOf(one), withoutEmptyAnnotations(one)] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b)));
}

function byName(list: Json): Json {
  const nameOf = (one: Json): string => (isJsonObject(one) ? JSON.stringify(one['name']) : '');
  return Array.isArray(list) ? list.toSorted((a, b) => nameOf(a).localeCompare(nameOf(b))) : list;
}

function withoutEmpty(metadata: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => !isJsonObject(value) || Object.keys(value).length > 0));
}

/** Base64 as it is without the line breaks that kustomize puts into it. */
function onOneLine(data: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, typeof value === 'string' ? value.replaceAll(/\s/g, '') : value]));
}

/** Annotations of pods that held checksums alone are none. */
function withoutEmptyAnnotations(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutEmptyAnnotations);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, member]) =>
    member === undefined || (key === 'annotations' && isJsonObject(member) && Object.keys(member).length === 0) ? [] : [[key, withoutEmptyAnnotations(member)]]));
}
