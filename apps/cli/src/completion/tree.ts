import type { Command, Option } from 'commander';

export interface TreeOption {
  /** `-h` and `--help`, or what there is. */
  names: string[];
  description: string;
  takesValue: boolean;
  /** Empty: any value. */
  choices: readonly string[];
  takesFile: boolean;
  /** Whether it may follow every command. */
  everywhere: boolean;
}

/** One command, with all that may follow it. */
export interface TreeNode {
  /** From the program's name on: `deja keys create`. */
  path: string;
  commands: { name: string; description: string }[];
  options: TreeOption[];
  /** What the first argument may be; empty: anything. */
  choices: readonly string[];
  /** Whether the first argument is a file. */
  takesFile: boolean;
}

/** Runs where its parent is called without a subcommand. */
const GOES_WITHOUT_SAYING = 'show';
const HELP = '--help';

/** The command tree as a list, parents first. A command's other names are commands of their own. */
export function commandTree(program: Command): TreeNode[] {
  return nodes(program, program.name(), optionsOf(program, true).filter(({ names }) => !names.includes(HELP)));
}

function nodes(command: Command, path: string, everywhere: TreeOption[]): TreeNode[] {
  const subcommands = command.createHelp().visibleCommands(command).filter((one) => one.name() !== 'help');
  const implied = subcommands.filter((one) => one.name() === GOES_WITHOUT_SAYING).flatMap((one) => optionsOf(one, false)).filter(({ names }) => !names.includes(HELP));
  const named = subcommands.flatMap((one) => [one.name(), ...one.aliases()].map((name) => ({ name, one })));
  const argument = command.registeredArguments[0];
  return [
    {
      path,
      commands: named.map(({ name, one }) => ({ name, description: inShort(one.description()) })),
      options: [...(command.parent === null ? optionsOf(command, false).filter(({ names }) => names.includes(HELP)) : optionsOf(command, false)), ...implied, ...everywhere],
      choices: argument?.argChoices ?? [],
      takesFile: argument?.name() === 'file',
    },
    ...named.flatMap(({ name, one }) => nodes(one, `${path} ${name}`, everywhere)),
  ];
}

const optionsOf = (command: Command, everywhere: boolean): TreeOption[] => command.createHelp().visibleOptions(command).map((option: Option) => ({
  names: [option.short, option.long].filter((name) => name !== undefined),
  description: inShort(option.description),
  takesValue: option.required || option.optional,
  choices: option.argChoices ?? [],
  takesFile: option.flags.includes('<file>'),
  everywhere,
}));

const inShort = (text: string): string => text.split(/[.:;,] /)[0] ?? text;
