import { Argument } from 'commander';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { commandTree, type TreeNode } from '../completion/tree.ts';
import { zshScript } from '../completion/zsh.ts';
import type { Commands } from '../cli.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } satisfies Record<string, (nodes: readonly TreeNode[]) => string>;

export const completionCommand: Commands = (program, { print }) => {
  program.command('completion').description('a script that completes commands and options: source <(deja completion bash)')
    .addArgument(new Argument('<shell>', 'whose').choices(Object.keys(SCRIPTS)))
    .action(async (shell: keyof typeof SCRIPTS) => {
      await print.lines([SCRIPTS[shell](commandTree(program)).trimEnd()]);
    });
};
