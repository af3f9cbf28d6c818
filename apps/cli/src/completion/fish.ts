import { quoted } from './shell-text.ts';
import type { TreeNode, TreeOption } from './tree.ts';

/** For `deja completion fish | source`. */
export function fishScript(nodes: readonly TreeNode[]): string {
  const everywhere = nodes[0]?.options.filter((option) => option.everywhere) ?? [];
  return `# Completion of deja for fish.
function __deja_at
    set -l at deja
    for word in (commandline -opc)[2..]
        switch "$at $word"
            case ${nodes.slice(1).map(({ path }) => fishQuoted(path)).join(' ')}
                set at "$at $word"
        end
    end
    test "$at" = "$argv"
end
complete -c deja -f
${everywhere.map((option) => `complete -c deja${optionFlags(option)}`).join('\n')}
${nodes.flatMap(linesOf).join('\n')}
`;
}

function linesOf(node: TreeNode): string[] {
  const at = `complete -c deja -n ${fishQuoted(`__deja_at ${node.path}`)}`;
  return [
    ...node.commands.map(({ name, description }) => `${at} -a ${name} -d ${fishQuoted(description)}`),
    ...(node.choices.length === 0 ? [] : [`${at} -a ${fishQuoted(node.choices.join(' '))}`]),
    ...(node.takesFile ? [`${at} -F`] : []),
    ...node.options.filter((option) => !option.everywhere).map((option) => `${at}${optionFlags(option)}`),
  ];
}

function optionFlags({ names, description, takesValue, takesFile, choices }: TreeOption): string {
  const flags = names.map((name) => (name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`)).join('');
  const value = !takesValue ? '' : takesFile ? ' -r -F' : choices.length > 0 ? ` -x -a ${fishQuoted(choices.join(' '))}` : ' -x';
  return `${flags}${value} -d ${fishQuoted(description)}`;
}

/** In fish's single quotes a backslash is one before a quote or a backslash. */
const fishQuoted = (text: string): string => (/['\\]/.test(text) ? `'${text.replaceAll(/['\\]/g, (character) => `\\${character}`)}'` : quoted(text));
