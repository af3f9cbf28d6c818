import { readFileSync, statSync } from 'node:fs';
import { parseConfig, type Environment } from '@deja/config';
import type { ReplyOf } from '@deja/admin-api';

type Verdict = ReplyOf<'validateConfig'>;
type Problem = Verdict['errors'][number];

const LARGEST_FILE_BYTES = 1_048_576;
/** What is shorter is no secret, and stands in many sentences by chance. */
const SHORTEST_SECRET = 4;
const INSTEAD = 'what stands here refers to a value that will not do in this place';
const WARNING = /^(.*?) \(line (\d+)\) (.*)$/s;

/**
 * Whether a deja.yaml would do here, with this environment and the files on this machine. Who may ask need not be one who may read those:
 * a sentence that repeats what came from there is replaced.
 */
export function configVerdict(yaml: string, environment: Environment & { variables: NodeJS.ProcessEnv }): Verdict {
  const read: string[] = [];
  const variables = new Proxy(environment.variables, {
    get(all, name) {
      const value = typeof name === 'string' ? all[name] : undefined;
      if (value !== undefined) read.push(value);
      return value;
    },
  });
  const parsed = parseConfig(yaml, { ...environment, variables }, (path) => {
    const text = textOf(path);
    read.push(text);
    return text;
  });
  const repeats = repetitionOf(read);
  const harmless = (problem: Problem): Problem => (repeats(problem.message) ? { ...problem, message: INSTEAD } : problem);
  if (parsed.ok) return { valid: true, errors: [], warnings: parsed.warnings.map(warningOf).map(harmless) };
  return { valid: false, errors: parsed.errors.map(({ path, line, column, message }) => harmless({ path, line, column, message })), warnings: [] };
}

/** Not of a device or a pipe: those have no end, or none soon. */
function textOf(path: string): string {
  const { size } = statSync(path);
  if (!statSync(path).isFile() || size > LARGEST_FILE_BYTES) throw Object.assign(new Error('not a file of a value'), { code: 'not a file of at most 1 MiB' });
  return readFileSync(path, 'utf8');
}

function repetitionOf(read: string[]): (message: string) => boolean {
  const secrets = read.flatMap((text) => [text.trim(), ...text.split(',').map((part) => part.trim())]).filter((text) => text.length >= SHORTEST_SECRET);
  const forms = new Set(secrets.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]));
  return (message) => [...forms].some((form) => message.includes(form));
}

function warningOf(sentence: string): Problem {
  const [, path = '', line = '', message = sentence] = WARNING.exec(sentence) ?? [];
  return { path, line: line === '' ? null : Number(line), column: null, message };
}
