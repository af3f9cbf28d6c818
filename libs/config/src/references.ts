import { listOf } from './environment/variables.ts';
import type { Path } from './path.ts';

/** Where `${env:…}` and `${file:…}` find their values. */
export interface ReferenceSources {
  variables: NodeJS.ProcessEnv;
  /** Content of a file; throws when it cannot be read. */
  readFile: (path: string) => string;
}

export interface Resolved {
  data: unknown;
  problems: { path: Path; message: string }[];
  /** Files whose content became part of the configuration. */
  files: string[];
  /** Where references stand, each with what they gave. */
  referring: Referring[];
}

/** A text with references in it. `values` are those that were found. */
export interface Referring {
  path: Path;
  values: string[];
}

const REFERENCE = /\$\{(env|file):([^}]*)\}/g;

/** What stands in the place of a value that is not known, so that the other checks run. */
const STAND_IN = 'unresolved';

/**
 * The same data with every reference in its texts replaced. Maps lose their empty (`null`) members: `limits:` with nothing after it is no limits.
 * Without sources nothing is looked up: the text may be anybody's, and what becomes of it would tell them about the values.
 */
export function resolveReferences(data: unknown, sources: ReferenceSources | null): Resolved {
  const problems: Resolved['problems'] = [];
  const files = new Set<string>();
  const referring: Referring[] = [];

  const lookUp = (path: Path, kind: string, name: string): string => {
    if (sources === null) return '';
    if (kind === 'env') {
      const value = sources.variables[name]?.trim() ?? '';
      if (value === '') problems.push({ path, message: notSet(name, sources.variables[`${name}_FILE`]?.trim() ?? '') });
      return value;
    }
    files.add(name);
    try {
      const content = sources.readFile(name).trim();
      if (content === '') problems.push({ path, message: `the file ${name} is empty: write the value into it` });
      return content;
    } catch (error) {
      problems.push({ path, message: `the file ${name} cannot be read (${errorCode(error)}): create it, or correct \${file:${name}}` });
      return '';
    }
  };

  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      const values: string[] = [];
      const replaced = value.replaceAll(REFERENCE, (_, kind: string, name: string) => values[values.push(lookUp(path, kind, name.trim())) - 1] || STAND_IN);
      if (values.length > 0) referring.push({ path, values: values.filter((found) => found !== '') });
      return replaced;
    }
    if (Array.isArray(value)) return value.map((item: unknown, index) => walk(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).filter(([, member]) => member !== null && member !== undefined);
    return Object.fromEntries(members.map(([key, member]): [string, unknown] => [key, walk(member, [...path, key])]));
  };

  return { data: walk(data, []), problems, files: [...files], referring };
}

/** The values of one credential: a comma-separated one is a pool. */
export const poolOf = listOf;

function notSet(name: string, file: string): string {
  if (file !== '') return `the environment variable ${name} is not set, but ${name}_FILE is: write \${file:${file}}`;
  return `the environment variable ${name} is not set: set it, or take \${env:${name}} out`;
}

function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unreadable';
}
