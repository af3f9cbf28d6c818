import { chmod, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { findRedisServer } from './find-redis.ts';
import { LauncherError } from './launcher-error.ts';
import { ownDirectory } from '../test/own-directory.ts';

async function program(directory: string, name: string, script = 'exit 0'): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

test('a redis-server on the PATH is taken, else a valkey-server, and nothing is installed', async () => {
  const directory = await ownDirectory();
  const valkey = await program(directory, 'valkey-server');
  expect(await findRedisServer({ env: { PATH: directory }, places: [] })).toBe(valkey);
  const redis = await program(directory, 'redis-server');
  expect(await findRedisServer({ env: { PATH: directory }, places: [] })).toBe(redis);
});

test('a missing Redis is installed by the package manager without a question, and the one that waits sees it', async () => {
  const directory = await ownDirectory();
  // A stand-in that "installs" by putting the program on the PATH; the PATH holds nothing else, so no real program is found or run.
  await program(directory, 'apt-get', `[ "$2" = -q ] && [ "$1" = install ] && printf '#!/bin/sh\\n' > ${directory}/redis-server && chmod +x ${directory}/redis-server; echo "apt-get $1"`);
  await program(directory, 'sudo', '[ "$1" = -n ] && shift; exec "$@"');
  await program(directory, 'true');
  for (const tool of ['env', 'chmod']) await symlink(`/usr/bin/${tool}`, join(directory, tool));
  const seen: string[] = [];
  const found = await findRedisServer({ env: { PATH: directory }, places: [], onProgress: (line) => seen.push(line) });
  expect(found).toBe(join(directory, 'redis-server'));
  expect(seen).toEqual(['Redis is not installed yet: running apt-get install redis-server', 'apt-get update', 'apt-get install']);
});

test('where nothing can be installed, one sentence names the one command to type', async () => {
  const directory = await ownDirectory();
  await program(directory, 'apt-get');
  const failure = findRedisServer({ env: { PATH: directory, DEJA_NO_INSTALL: '1' }, places: [] });
  await expect(failure).rejects.toThrow(LauncherError);
  await expect(failure).rejects.toThrow(/type `(?:sudo )?apt-get install -y redis-server`/);
});

test('a Redis that is too old is refused with its version, not started', async () => {
  const directory = await ownDirectory();
  await program(directory, 'redis-server', 'echo "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64"');
  await expect(findRedisServer({ env: { PATH: directory }, places: [] })).rejects.toThrow(/deja needs Redis 7 or newer, and .*redis-server is 6\.0\.16/);
});
