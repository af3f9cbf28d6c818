import { z } from 'zod';
import { pathText, valueAt, type Path } from './path.ts';
import { FILE, type FileConfig } from './schema.ts';
import { didYouMean } from './suggestion.ts';

export interface FormProblem {
  path: Path;
  message: string;
}

/** Checks the form of the resolved data. Unknown keys are reported and taken out, so that one mistyped key does not hide other problems. */
export function checkForm(data: unknown): { file: FileConfig | null; problems: FormProblem[] } {
  const problems: FormProblem[] = [];
  const tree = structuredClone(data ?? {});
  let parsed = FILE.safeParse(tree);
  if (!parsed.success) {
    for (const issue of parsed.error.issues.flatMap(ofChosenForm)) {
      if (issue.code === 'unrecognized_keys') problems.push(...takeOutUnknownKeys(tree, stepsOf(issue.path), issue.keys));
    }
    parsed = FILE.safeParse(tree);
  }
  for (const path of lostNames(tree, [])) problems.push({ path, message: 'nothing can have the name __proto__: write another one' });
  if (parsed.success) return { file: parsed.data, problems };
  for (const issue of parsed.error.issues.flatMap(ofChosenForm)) problems.push({ path: stepsOf(issue.path), message: messageOf(issue, tree) });
  return { file: null, problems };
}

/** Of several forms (one price, or a list of them), what is wrong with the one that was chosen; as it is where nobody can tell, or the schema has words of its own. */
function ofChosenForm(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.message !== 'Invalid input') return [issue];
  const chosen = issue.errors.filter((issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0));
  return chosen.length === 1 ? (chosen[0] ?? []).flatMap(ofChosenForm).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })) : [issue];
}

/** Places of members that no schema sees: objects are made without a member `__proto__`, and it would be left out in silence. */
function lostNames(value: unknown, path: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => (name === '__proto__' ? [[...path, name]] : lostNames(member, [...path, Array.isArray(value) ? Number(name) : name])));
}

function stepsOf(path: PropertyKey[]): Path {
  return path.filter((step) => typeof step !== 'symbol');
}

/** Of so many unknown keys of one map it is said what may have been meant: it is looked for among all that are known. */
const MOST_HINTS = 100;

function takeOutUnknownKeys(tree: unknown, path: Path, keys: string[]): FormProblem[] {
  const holder = valueAt(tree, path);
  const known = keysOf(schemaAt(path));
  return keys.map((key, n) => {
    if (typeof holder === 'object' && holder !== null) Reflect.deleteProperty(holder, key);
    if (n >= MOST_HINTS) return { path: [...path, key], message: `unknown key ${JSON.stringify(key)}` };
    const hint = didYouMean(key, known) || `: ${path.length === 0 ? 'the file' : pathText(path)} takes ${known.join(', ')}`;
    return { path: [...path, key], message: `unknown key ${JSON.stringify(key)}${hint}` };
  });
}

function messageOf(issue: z.core.$ZodIssue, tree: unknown): string {
  const value = valueAt(tree, stepsOf(issue.path));
  const missing = value === undefined;
  const last = issue.path.at(-1);
  switch (issue.code) {
    case 'invalid_type':
      if (missing) return `${String(last)} is missing: write ${String(last)}: <${TYPE_NAMES[issue.expected] ?? issue.expected}>`;
      return `must be ${withArticle(TYPE_NAMES[issue.expected] ?? issue.expected)}, but it is ${kindOf(value, issue.expected)}${issue.expected === 'string' ? ': write it in quotes' : ''}`;
    case 'invalid_value':
      if (missing) return `${String(last)} is missing: write one of ${issue.values.join(', ')}`;
      return `must be one of ${issue.values.join(', ')}${typeof value === 'string' ? didYouMean(value, issue.values.map(String)) : ''}`;
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : sizeMessage(issue.origin, 'at least', issue.minimum, issue.message);
    case 'too_big':
      return sizeMessage(issue.origin, 'at most', issue.maximum, issue.message);
    case 'invalid_key':
      return issue.issues[0]?.message ?? issue.message;
    default:
      return issue.message;
  }
}

function sizeMessage(origin: string, relation: string, bound: number | bigint, message: string): string {
  if (origin === 'array') return message.startsWith('must') ? message : `must have ${relation} ${bound} items`;
  return origin === 'string' ? `must have ${relation} ${bound} characters` : `must be ${relation} ${bound}`;
}

const TYPE_NAMES: Record<string, string> = {
  int: 'whole number', number: 'number', string: 'text', boolean: 'true or false', array: 'list', tuple: 'list', object: 'map of keys and values', record: 'map of keys and values',
};

function withArticle(type: string): string {
  return type === 'text' || type === 'true or false' ? type : `a ${type}`;
}

function kindOf(value: unknown, expected: string): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      if (Number.isNaN(value)) return '.nan, which is none';
      if (!Number.isFinite(value)) return 'infinite';
      if (expected !== 'int') return 'a number';
      return Number.isInteger(value) ? 'too large' : 'a number with a fraction';
    case 'boolean':
      return 'true or false';
    default:
      return 'a map';
  }
}

/** The part of the schema that a path leads to, without what makes it optional or gives it a short form. */
function schemaAt(path: Path): z.core.$ZodType {
  let schema: z.core.$ZodType = bare(FILE);
  for (const step of path) {
    if (schema instanceof z.ZodUnion) schema = typeof step === 'number' ? (schema.options.map(bare).find((option) => option instanceof z.ZodArray) ?? schema) : longForm(schema);
    if (schema instanceof z.ZodObject) schema = bare(schema.shape[String(step)] ?? FILE);
    else if (schema instanceof z.ZodArray) schema = bare(schema.element);
    else if (schema instanceof z.ZodRecord) schema = bare(schema.valueType);
  }
  return longForm(schema);
}

function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return bare(schema.unwrap());
  return schema;
}

/** Of a short form and a long one, only the long one has keys. */
function longForm(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodUnion ? (schema.options.map(bare).find((option) => option instanceof z.ZodObject) ?? schema) : schema;
}

function keysOf(schema: z.core.$ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
