import type { TreeNode } from './tree.ts';

/** A word for bash and zsh, whatever stands in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** What a `case` compares with; one that nothing equals where there is nothing. */
export const caseLabels = (labels: readonly string[]): string => (labels.length === 0 ? "''" : labels.map(quoted).join(' | '));

/** `deja keys create --tenant`: after what a value is expected, and of what kind. */
export interface ValueCases {
  files: string[];
  choices: { labels: string[]; values: readonly string[] }[];
  free: string[];
}

export function valueCases(nodes: readonly TreeNode[]): ValueCases {
  const all = nodes.flatMap(({ path, options }) => options.filter(({ takesValue }) => takesValue).flatMap((option) => option.names.map((name) => ({ label: `${path} ${name}`, option }))));
  const chosen = Map.groupBy(all.filter(({ option }) => option.choices.length > 0), ({ option }) => option.choices.join(' '));
  return {
    files: all.filter(({ option }) => option.takesFile).map(({ label }) => label),
    choices: [...chosen.values()].map((same) => ({ labels: same.map(({ label }) => label), values: same[0]?.option.choices ?? [] })),
    free: all.filter(({ option }) => !option.takesFile && option.choices.length === 0).map(({ label }) => label),
  };
}
