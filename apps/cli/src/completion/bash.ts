import { caseLabels, quoted, valueCases } from './shell-text.ts';
import type { TreeNode } from './tree.ts';

/** For `source <(deja completion bash)`. Nothing in it needs more than the bash of macOS, 3.2; what newer ones can do besides is tried quietly. */
export function bashScript(nodes: readonly TreeNode[]): string {
  const { files, choices, free } = valueCases(nodes);
  const words = ({ commands, choices: values }: TreeNode): string => [...commands.map(({ name }) => name), ...values].join(' ');
  const options = (node: TreeNode): string => node.options.flatMap(({ names }) => names).join(' ');
  return `# Completion of deja for bash.
_deja() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} at=deja words='' options='' n
  COMPREPLY=()
  for ((n = 1; n < COMP_CWORD; n++)); do
    case "$at \${COMP_WORDS[n]}" in
      ${caseLabels(nodes.slice(1).map(({ path }) => path))}) at="$at \${COMP_WORDS[n]}" ;;
    esac
  done
  case "$at $previous" in
    # Files are what bash completes by itself.
    ${caseLabels(files)}) return ;;
${choices.map(({ labels, values }) => `    ${caseLabels(labels)}) COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$current")); return ;;`).join('\n')}
    ${caseLabels(free)}) compopt +o default 2> /dev/null; return ;;
  esac
  case "$at" in
${nodes.map((node) => `    ${quoted(node.path)}) words=${quoted(words(node))} options=${quoted(options(node))} ;;`).join('\n')}
  esac
  case "$at" in
    ${caseLabels(nodes.filter(({ takesFile }) => takesFile).map(({ path }) => path))}) [[ $current == -* ]] || return ;;
  esac
  compopt +o default 2> /dev/null
  [[ $current == -* || -z $words ]] && words=$options
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _deja deja
`;
}
