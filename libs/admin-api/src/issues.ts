import type { z } from 'zod';

// What is wrong with a body or query, in words of the admin API. What a schema says itself goes before.

/** `notify[0].webhook`: where a member stands. */
export const memberAt = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`), '');

/** For zod's `error`: says what to write, and quotes no value. undefined: zod has words of its own. */
export function issueWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `write ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `write ${issue.values.length === 1 ? '' : 'one of '}${issue.values.join(', ')}`;
    case 'too_small':
      return sizeWords(issue.origin, issue.minimum, issue.inclusive === false ? 'more than' : 'at least');
    case 'too_big':
      return sizeWords(issue.origin, issue.maximum, issue.inclusive === false ? 'less than' : 'at most');
    case 'invalid_format':
      return FORMATS[issue.format];
    case 'invalid_key':
      return issue.issues[0]?.message;
    case 'invalid_union':
      return unionWords(issue.errors);
    default:
      return undefined;
  }
}

const TYPES: Readonly<Record<string, string>> = { string: 'text', number: 'a number', int: 'a whole number', boolean: 'true or false', array: 'a list', object: 'an object', record: 'an object', null: 'null' };
const FORMATS: Readonly<Record<string, string>> = { uuid: 'write an id, as 019b7d9e-0000-7000-8000-000000000001', email: 'write an e-mail address' };

function sizeWords(origin: string, bound: number | bigint, relation: string): string {
  if (origin === 'array') return Number(bound) === 1 && relation === 'at least' ? 'must not be empty' : `give ${relation} ${bound}`;
  if (origin !== 'string') return `write ${origin === 'int' ? 'a whole number of ' : ''}${relation} ${bound}`;
  return Number(bound) === 1 && relation === 'at least' ? 'must not be empty' : `write ${relation} ${bound} characters`;
}

/** What is wrong with the form that was chosen; where nobody can tell which, what either wants. */
function unionWords(forms: readonly (readonly z.core.$ZodIssue[])[]): string | undefined {
  const chosen = forms.filter((issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0));
  const words = new Set((chosen.length === 1 ? chosen : forms).flatMap(([issue]) => issue?.message ?? []));
  return words.size === 0 ? undefined : [...words].join(', or ');
}
