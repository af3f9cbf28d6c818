import { isJsonObject, type Json, type JsonObject } from './objects.ts';

/** By which member the elements of a list are told apart when one is merged into another; other lists are replaced whole, as Kubernetes says of each. */
const MERGE_KEYS: Record<string, string> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
};
/** Lists of this name that are merged by it in one kind of object only. */
const PORTS: Record<string, string> = { Service: 'port', Deployment: 'containerPort', StatefulSet: 'containerPort' };

/** A strategic merge patch as far as it is used here: maps are merged, null takes away, lists as above. Nothing is changed in place. */
export function strategicMerge(target: JsonObject, patch: JsonObject, kind: string): JsonObject {
  const merged: JsonObject = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const former = merged[key];
    if (value === null || value === undefined) delete merged[key];
    else if (isJsonObject(value)) merged[key] = strategicMerge(isJsonObject(former) ? former : {}, value, kind);
    else if (Array.isArray(value) && Array.isArray(former)) merged[key] = mergeLists(former, value, key, kind);
    else merged[key] = value;
  }
  return merged;
}

function mergeLists(former: Json[], patch: Json[], name: string, kind: string): Json[] {
  const key = name === 'ports' ? PORTS[kind] : MERGE_KEYS[name];
  if (key === undefined) return patch;
  const merged = [...former];
  for (const element of patch) {
    if (!isJsonObject(element)) throw new Error(`an element of ${name} is no map`);
    const at = merged.findIndex((one) => isJsonObject(one) && one[key] === element[key]);
    const there = merged[at];
    if (isJsonObject(there)) merged[at] = strategicMerge(there, element, kind);
    else merged.push(element);
  }
  return merged;
}

export interface Operation {
  op: 'add' | 'replace' | 'remove';
  path: string;
  value?: Json;
}

/** A JSON patch (RFC 6902) of `add`, `replace` and `remove`. Throws where a path leads nowhere. Nothing is changed in place. */
export function jsonPatch(target: JsonObject, operations: Operation[]): JsonObject {
  const copy = structuredClone(target);
  for (const { op, path, value } of operations) {
    const parts = path.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = parts.pop() ?? '';
    const parent = parts.reduce<Json | undefined>((at, part) => (Array.isArray(at) ? at[Number(part)] : isJsonObject(at) ? at[part] : undefined), copy);
    if (Array.isArray(parent)) onList(parent, last, op, value ?? null);
    else if (isJsonObject(parent) && (op === 'add' || last in parent)) {
      if (op === 'remove') delete parent[last];
      else parent[last] = value;
    } else throw new Error(`${op} ${path}: there is no such place`);
  }
  return copy;
}

function onList(list: Json[], at: string, op: Operation['op'], value: Json): void {
  const index = at === '-' ? list.length : Number(at);
  if (!Number.isInteger(index) || index > list.length || (op !== 'add' && index === list.length)) throw new Error(`${op}: the list has no place ${at}`);
  list.splice(index, op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [value]));
}
