/** JSON text that stands where a value would: what `JSON.stringify` cannot write, such as `1e999` or a name given twice. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** JSON of a value with raw pieces in it. */
export function jsonText(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value === 'object' && value !== null) return `{${Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${jsonText(inner)}`).join(',')}}`;
  return JSON.stringify(value) ?? 'null';
}

/** One change of a value: where it happens is chosen by number among all the places there are. */
export interface Mutation {
  place: number;
  how: 'replace' | 'delete' | 'add' | 'wrap' | 'repeat' | 'rename' | 'twice';
  name: string;
  value: unknown;
}

type Place = { parent: Record<string, unknown> | unknown[]; key: string | number };

/** Applies a mutation to a copy of an object. */
export function mutated(body: object, mutation: Mutation): object {
  const copy = copyOf(body) as Record<string, unknown>;
  const places = placesOf(copy);
  const place = places[mutation.place % Math.max(1, places.length)];
  if (place === undefined) return { [mutation.name]: mutation.value };
  change(place, mutation);
  return copy;
}

function change({ parent, key }: Place, { how, name, value }: Mutation): void {
  const before = Array.isArray(parent) ? parent[Number(key)] : parent[key];
  const put = (after: unknown): void => {
    if (Array.isArray(parent)) parent[Number(key)] = after;
    else set(parent, String(key), after);
  };
  switch (how) {
    case 'replace':
      return put(value);
    case 'delete':
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      return;
    case 'add':
      if (Array.isArray(parent)) parent.push(value);
      else set(parent, name, value);
      return;
    case 'wrap':
      return put(name.length % 2 === 0 ? [before] : { [name]: before });
    case 'repeat':
      return put([before, before, value]);
    case 'rename':
      if (Array.isArray(parent)) return put({ [name]: before });
      delete parent[key];
      return set(parent, name, before);
    case 'twice':
      return put(new RawJson(`{${JSON.stringify(name)}:${jsonText(value)},${JSON.stringify(name)}:${jsonText(before)},"__proto__":{},${JSON.stringify(name)}:${jsonText(value)}}`));
  }
}

/** `__proto__` as a name like any other. */
const set = (object: Record<string, unknown>, name: string, value: unknown): void => void Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });

function placesOf(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null || value instanceof RawJson) return [];
  const parent = value as Place['parent'];
  const keys = Array.isArray(parent) ? [...parent.keys()] : Object.keys(parent);
  return keys.flatMap((key) => [{ parent, key }, ...placesOf(Array.isArray(parent) ? parent[Number(key)] : parent[key])]);
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null || value instanceof RawJson) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) set(copy, name, copyOf(inner));
  return copy;
}
