// Holds objects to Kubernetes' own schemas, twice: `kubernetes-models` checks values, and its TypeScript types find members that no schema knows.
import { join } from 'node:path';
import ts from 'typescript';
import { idOf, type KubernetesObject } from './objects.ts';

/** Where this file's packages are found from. */
const VIRTUAL = join(import.meta.dirname, 'objects-as-typescript.ts');
const OPERATOR_GROUP = 'monitoring.coreos.com';
/** Kinds of which neither package has a schema: deploy/verify-kubernetes.sh asks a real API server about them. */
const WITHOUT_SCHEMA: ReadonlySet<string> = new Set(['gateway.networking.k8s.io/v1/HTTPRoute']);

type Model = new (object: unknown) => { validate(): void };

/** Complaints about the objects, each with its id; none: all are as the schemas say. */
export async function schemaComplaints(objects: KubernetesObject[]): Promise<string[]> {
  const known = objects.filter((object) => !WITHOUT_SCHEMA.has(`${object.apiVersion}/${object.kind}`));
  const values = await Promise.all(known.map(valueComplaints));
  return [...values.flat(), ...memberComplaints(known)];
}

async function valueComplaints(object: KubernetesObject): Promise<string[]> {
  try {
    const module = await import(moduleOf(object)) as Record<string, Model | undefined>;
    const OfKind = module[object.kind];
    if (OfKind === undefined) return [`${idOf(object)}: ${moduleOf(object)} has no ${object.kind}`];
    new OfKind(object).validate();
    return [];
  } catch (error) {
    return [`${idOf(object)}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** `kubernetes-models/apps/v1/Deployment`. */
function moduleOf({ apiVersion, kind }: KubernetesObject): string {
  const name = apiVersion.startsWith(OPERATOR_GROUP) ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models';
  return `${name}/${apiVersion}/${kind}`;
}

/** An object literal may only have members that its type knows: so each object becomes one, on a line of its own. */
function memberComplaints(objects: KubernetesObject[]): string[] {
  const kinds = new Map(objects.map((object) => [moduleOf(object), object]));
  const names = new Map([...kinds.keys()].map((module, at) => [module, `Kind${at}`]));
  const imports = [...kinds].map(([module, { kind }]) => `import type { I${kind} as ${names.get(module)} } from '${module}';`);
  const lines = objects.map((object, at) => `export const object${at}: ${names.get(moduleOf(object))} = ${JSON.stringify(object)};`);
  const program = programOf([...imports, ...lines].join('\n'));
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ');
    const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
    const object = objects[line - imports.length];
    return `${object === undefined ? diagnostic.file?.fileName ?? 'TypeScript' : idOf(object)}: ${message}`;
  });
}

function programOf(text: string): ts.Program {
  const options: ts.CompilerOptions = {
    strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es2024.d.ts'], target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.fileExists = (path) => path === VIRTUAL || ts.sys.fileExists(path);
  host.getSourceFile = (path, languageVersion, ...more) => (path === VIRTUAL ? ts.createSourceFile(path, text, languageVersion) : read(path, languageVersion, ...more));
  return ts.createProgram([VIRTUAL], options, host);
}
