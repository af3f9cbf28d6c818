import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

/** A part of the repository that others import, or that imports others. */
interface Project {
  /** Its folder, from the root: `libs/redis`. */
  folder: string;
  kind: 'app' | 'lib' | 'tests' | 'tools' | 'bench';
  /** `@deja/redis`; null when nobody can import it by name. */
  packageName: string | null;
}

/** One import statement that crosses from a project into another. */
interface Arrow {
  from: Project;
  to: Project;
  file: string;
  line: number;
  specifier: string;
}

/** An arrow that must not be, and why. */
export interface Violation {
  file: string;
  line: number;
  specifier: string;
  reason: string;
}

const SINGLE: [string, Project['kind']][] = [['tests', 'tests'], ['tools', 'tools'], ['bench', 'bench']];
const GROUPS: [string, Project['kind']][] = [['apps', 'app'], ['libs', 'lib']];
const FOR_DEVELOPERS: ReadonlySet<Project['kind']> = new Set(['tests', 'tools', 'bench']);
const SKIPPED = new Set(['node_modules', 'dist', 'out', 'coverage', '.nx', '.deja']);
const SOURCE = /\.(?:[cm]?ts|[cm]?js)$/;

/** Every import under `root` that the rules of the repository forbid, by file and line. */
export function violations(root: string): Violation[] {
  const projects = projectsOf(root);
  const arrows = projects.flatMap((project) => arrowsOf(root, project, projects));
  return [...arrows.flatMap(forbidden), ...cycles(arrows)].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

function projectsOf(root: string): Project[] {
  const inGroups = GROUPS.flatMap(([group, kind]) =>
    folders(join(root, group)).map((name) => ({ folder: `${group}/${name}`, kind, packageName: packageName(join(root, group, name)) })),
  );
  const single = SINGLE.filter(([name]) => folders(root).includes(name)).map(([name, kind]) => ({ folder: name, kind, packageName: packageName(join(root, name)) }));
  return [...inGroups, ...single];
}

function folders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return []; // a repository may lack a group
  }
}

function packageName(folder: string): string | null {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string }).name ?? null;
  } catch {
    return null; // no package: it can be imported by path only
  }
}

function arrowsOf(root: string, from: Project, projects: Project[]): Arrow[] {
  return sourcesIn(join(root, from.folder)).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return importsOf(text).flatMap(({ specifier, position }) => {
      const to = target(root, file, specifier, projects);
      if (to === null || to === from) return [];
      const line = text.slice(0, position).split('\n').length;
      return [{ from, to, file: relative(root, file).split(sep).join('/'), line, specifier }];
    });
  });
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sourcesIn(path);
    return SOURCE.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

/** What the compiler would resolve: import and export statements, import(), require() and import types; not what only looks so inside a text or a comment. */
function importsOf(text: string): { specifier: string; position: number }[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => ({ specifier: fileName, position: pos }));
}

function target(root: string, file: string, specifier: string, projects: Project[]): Project | null {
  if (specifier.startsWith('.') || specifier.startsWith('/')) {
    const path = relative(root, resolve(dirname(file), specifier)).split(sep).join('/');
    return projects.find(({ folder }) => path === folder || path.startsWith(`${folder}/`)) ?? null;
  }
  return projects.find((project) => project.packageName !== null && (specifier === project.packageName || specifier.startsWith(`${project.packageName}/`))) ?? null;
}

function forbidden(arrow: Arrow): Violation[] {
  const reason = reasonAgainst(arrow);
  return reason === null ? [] : [{ file: arrow.file, line: arrow.line, specifier: arrow.specifier, reason }];
}

function reasonAgainst({ from, to, specifier }: Arrow): string | null {
  if (FOR_DEVELOPERS.has(to.kind)) return FOR_DEVELOPERS.has(from.kind) ? null : `${to.folder} is for developers; what runs needs to be in an app or a lib`;
  // Whole-cluster tests and measurements look where they have to.
  if (from.kind === 'tests' || from.kind === 'bench') return null;
  if (to.kind === 'app') {
    if (from.kind === 'app') return `apps meet on the bus only: what ${from.folder} and ${to.folder} both need belongs into a lib, what they tell each other into libs/contracts`;
    return from.kind === 'lib' ? 'libs know nothing of apps: they are what apps are made of, so the arrow points the other way' : `${from.folder} runs apps as processes and sees nothing of their inside`;
  }
  if (specifier.startsWith('.')) return `a lib is imported by its name, ${to.packageName ?? to.folder}: what it does not export is its own`;
  return null;
}

/** The imports that close a circle of libs; each of them, so that any can be taken out. */
function cycles(arrows: Arrow[]): Violation[] {
  const libs = arrows.filter(({ from, to }) => from.kind === 'lib' && to.kind === 'lib');
  const next = new Map<Project, Set<Project>>();
  for (const { from, to } of libs) next.set(from, (next.get(from) ?? new Set()).add(to));
  return libs.flatMap(({ from, to, file, line, specifier }) => {
    const way = path(to, from, next);
    return way === null ? [] : [{ file, line, specifier, reason: `libs form no circle, but this one does: ${[from, ...way].map(({ folder }) => folder).join(' → ')}` }];
  });
}

/** The shortest way along the arrows, both ends included; null when there is none. */
function path(start: Project, end: Project, next: Map<Project, Set<Project>>): Project[] | null {
  const queue: Project[][] = [[start]];
  const seen = new Set([start]);
  for (let way = queue.shift(); way !== undefined; way = queue.shift()) {
    const last = way.at(-1);
    if (last === undefined || last === end) return way;
    for (const project of next.get(last) ?? []) {
      if (seen.has(project)) continue;
      seen.add(project);
      queue.push([...way, project]);
    }
  }
  return null;
}
