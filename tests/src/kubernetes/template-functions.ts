// The functions of Go templates, Sprig and Helm that the chart uses.
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { isJsonObject, type Json } from './objects.ts';

/** What Go templates take for false: nothing, zero, and what is empty. */
export function isTrue(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return !isJsonObject(value) || Object.keys(value).length > 0;
}

/** As Go prints a value into the text. */
export function printed(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'object') throw new Error(`a list or map is printed as it is; toYaml is missing: ${JSON.stringify(value).slice(0, 80)}`);
  return String(value);
}

const text = (value: Json | undefined): string => printed(value);

function indent(by: Json | undefined, value: Json | undefined): string {
  return text(value).split('\n').map((line) => ' '.repeat(Number(by)) + line).join('\n');
}

function toYaml(value: Json | undefined): string {
  return stringify(value ?? null, { lineWidth: 0, defaultStringType: 'PLAIN', version: '1.1', aliasDuplicateObjects: false }).trimEnd();
}

function same(one: Json | undefined, ...others: (Json | undefined)[]): boolean {
  return others.some((other) => JSON.stringify(one) === JSON.stringify(other));
}

function dict(...pairs: (Json | undefined)[]): Json {
  return Object.fromEntries(pairs.flatMap((key, at) => (at % 2 === 0 ? [[text(key), pairs[at + 1] ?? null]] : [])));
}

function printf(format: Json | undefined, ...values: (Json | undefined)[]): string {
  const left = [...values];
  return text(format).replaceAll(/%([sdvq%])/g, (_, verb: string) => (verb === '%' ? '%' : verb === 'q' ? JSON.stringify(text(left.shift())) : text(left.shift())));
}

type TemplateFunction = (...values: (Json | undefined)[]) => Json | undefined;

export const FUNCTIONS: Record<string, TemplateFunction> = {
  default: (otherwise, value) => (isTrue(value) ? value : otherwise),
  quote: (value) => JSON.stringify(text(value)),
  toYaml,
  toJson: (value) => JSON.stringify(value ?? null),
  indent,
  nindent: (by, value) => `\n${indent(by, value)}`,
  eq: same,
  ne: (one, other) => !same(one, other),
  not: (value) => !isTrue(value),
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  dict,
  list: (...values) => values.map((value) => value ?? null),
  join: (by, values) => (Array.isArray(values) ? values.map(text).join(text(by)) : ''),
  printf,
  ternary: (whenTrue, whenFalse, value) => (isTrue(value) ? whenTrue : whenFalse),
  contains: (part, value) => text(value).includes(text(part)),
  replace: (from, to, value) => text(value).replaceAll(text(from), text(to)),
  trunc: (length, value) => text(value).slice(0, Number(length)),
  trim: (value) => text(value).trim(),
  trimSuffix: (suffix, value) => (text(value).endsWith(text(suffix)) ? text(value).slice(0, -text(suffix).length) : text(value)),
  sha256sum: (value) => createHash('sha256').update(text(value)).digest('hex'),
  base: (path) => text(path).split('/').at(-1) ?? '',
  lower: (value) => text(value).toLowerCase(),
  int: (value) => Math.trunc(Number(value)),
  fail: (message) => {
    throw new Error(text(message));
  },
};
