import { isJsonObject, type Json } from './objects.ts';

/** Each place at which two values differ, as `Deployment/deja-gateway.spec.replicas: 2 ≠ 3`. */
export function differences(one: Json | undefined, other: Json | undefined, place = ''): string[] {
  if (isJsonObject(one) && isJsonObject(other)) {
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
    return keys.flatMap((key) => differences(one[key], other[key], place === '' ? key : `${place}.${key}`));
  }
  if (Array.isArray(one) && Array.isArray(other) && one.length === other.length) return one.flatMap((element, at) => differences(element, other[at], `${place}[${at}]`));
  const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
  return a === b ? [] : [`${place}: ${a ?? 'nothing'} ≠ ${b ?? 'nothing'}`];
}
