import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deja } from './command-line.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deja-completion-'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { out } = await deja(['completion', shell], { api: null });
    await writeFile(join(folder, shell), out);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** How each shell is asked, without a terminal, what may follow. */
const ASK: Record<string, (words: string[]) => string> = {
  bash: (words) => `source "$0"; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _deja; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // In place of what only runs below zsh's line editor.
  zsh: (words) => `compdef() { :; }; _files() { print FILES; }; compadd() { shift; print -l -- "$@"; }; _describe() { print -l -- "\${(@)\${(@P)@[-1]}%%:*}"; }; source "$0"; words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; _deja`,
  fish: (words) => `source $argv[1]; complete -C '${words.join(' ')}' | string split -f1 \\t`,
};

function completed(shell: string, line: string): Promise<string[]> {
  const words = line.split(' ');
  return new Promise((resolve, reject) => {
    execFile(shell, ['-c', ASK[shell]!(words), join(folder, shell)], { env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }, cwd: folder }, (error, stdout, stderr) => {
      if (stderr !== '') reject(new Error(`${shell}: ${stderr}`, { cause: error }));
      else resolve(stdout.split('\n').filter((word) => word !== ''));
    });
  });
}

const isThere = (shell: string): boolean => spawnSync(shell, ['--version']).error === undefined;

// A machine has the shells that it has.
describe.each(['bash', 'zsh', 'fish'].filter(isThere))('%s', (shell) => {
  test('knows the commands, and those below them', async () => {
    expect(await completed(shell, 'deja ')).toEqual(expect.arrayContaining(['keys', 'tenants', 'usage', 'admin-tokens', 'completion']));
    expect((await completed(shell, 'deja keys ')).toSorted()).toEqual(['create', 'delete', 'disable', 'enable', 'get', 'list', 'rotate', 'update']);
    expect(await completed(shell, 'deja --json admin-tokens ')).toEqual(expect.arrayContaining(['create', 'list']));
  });

  test('knows the options, also those of the command that goes without saying and those that hold everywhere', async () => {
    expect(await completed(shell, 'deja keys create --')).toEqual(expect.arrayContaining(['--limit', '--budget', '--per-user-limit', '--json', '--url']));
    expect(await completed(shell, 'deja usage --')).toEqual(expect.arrayContaining(['--by', '--zone', '--from']));
    expect(await completed(shell, 'deja keys get --')).not.toContain('--limit');
  });

  test('knows the words that an option or argument takes, and leaves free text alone', async () => {
    expect((await completed(shell, 'deja tokens create x --role ')).toSorted()).toEqual(['operator', 'owner', 'viewer']);
    expect((await completed(shell, 'deja keys create x --endpoint ')).toSorted()[0]).toBe('audio');
    expect((await completed(shell, 'deja completion ')).filter((word) => !word.startsWith('-')).toSorted()).toEqual(['bash', 'fish', 'zsh']);
    expect(await completed(shell, 'deja keys create --tenant ').catch((error: Error) => [error.message])).toEqual([]);
  });
});
