import { caseLabels, quoted, valueCases } from './shell-text.ts';
import type { TreeNode } from './tree.ts';

/** For `source <(deja completion bash)`. */
export function bashScript(nodes: readonly TreeNode[]): string {
  const { files, choices, free } = valueCases(nodes);
  const words = ({ commands, options, choices: values }: TreeNode): string => [...commands.map(({ name }) => name), ...values].join(' ') + (options.length === 0 ? '' : ` ${options.flatMap(({ names }) => names).join(' ')}`);
  return `# Completion of deja for bash.
_deja() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} at=deja words='' n
  COMPREPLY=()
  for ((n = 1; n < COMP_CWORD; n++)); do
    case "$at \${COMP_WORDS[n]}" in
      ${caseLabels(nodes.slice(1).map(({ path }) => path))}) at="$at \${COMP_WORDS[n]}" ;;
    esac
  done
  case "$at $previous" in
    ${caseLabels(files)}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
${choices.map(({ labels, values }) => `    ${caseLabels(labels)}) mapfile -t COMPREPLY < <(compgen -W ${quoted(values.join(' '))} -- "$current"); return ;;`).join('\n')}
    ${caseLabels(free)}) return ;;
  esac
  case "$at" in
${nodes.map((node) => `    ${quoted(node.path)}) words=${quoted(words(node))} ;;`).join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  case "$at" in
    ${caseLabels(nodes.filter(({ takesFile }) => takesFile).map(({ path }) => path))}) [[ $current == -* ]] || { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); } ;;
  esac
}
complete -F _deja deja
`;
}
