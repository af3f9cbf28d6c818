import { caseLabels, quoted, valueCases } from './shell-text.ts';
import type { TreeNode } from './tree.ts';

/** For `source <(deja completion zsh)`, or as a file `_deja` in `$fpath`. */
export function zshScript(nodes: readonly TreeNode[]): string {
  const { files, choices, free } = valueCases(nodes);
  const described = (name: string, description: string): string => quoted(`${name.replaceAll(':', '\\:')}:${description}`);
  const list = ({ commands, options, choices: values }: TreeNode): string => {
    const words = [...commands.map(({ name, description }) => described(name, description)), ...values.map(quoted)];
    const flags = options.flatMap(({ names, description }) => names.map((name) => described(name, description)));
    return `commands=(${words.join(' ')}) options=(${flags.join(' ')})`;
  };
  return `#compdef deja
# Completion of deja for zsh.
_deja() {
  local at=deja n
  local -a commands options
  for ((n = 2; n < CURRENT; n++)); do
    case "$at \${words[n]}" in
      ${caseLabels(nodes.slice(1).map(({ path }) => path))}) at="$at \${words[n]}" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
    ${caseLabels(files)}) _files; return ;;
${choices.map(({ labels, values }) => `    ${caseLabels(labels)}) compadd -- ${values.map(quoted).join(' ')}; return ;;`).join('\n')}
    ${caseLabels(free)}) return 1 ;;
  esac
  case "$at" in
${nodes.map((node) => `    ${quoted(node.path)}) ${list(node)} ;;`).join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options
    return
  fi
  case "$at" in
    ${caseLabels(nodes.filter(({ takesFile }) => takesFile).map(({ path }) => path))}) _files; return ;;
  esac
  (( \${#commands} )) && _describe command commands
}
if [[ \${funcstack[1]} == _deja ]]; then
  _deja "$@"
else
  compdef _deja deja
fi
`;
}
