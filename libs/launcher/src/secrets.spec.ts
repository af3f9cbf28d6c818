import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { LauncherError } from './launcher-error.ts';
import { readSecrets, secretFrom } from './secrets.ts';
import { ownDirectory } from '../test/own-directory.ts';

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

test('missing secrets are made once, in files that only their owner can read', async () => {
  const dataDir = await ownDirectory();
  const first = await readSecrets(dataDir, {});
  expect(first.bootstrapKey).toMatch(/^sk-deja-[0-9a-f]{12}-[0-9a-f]{64}$/);
  expect(first.adminKey.length).toBeGreaterThan(32);
  expect(Buffer.from(await readFile(join(dataDir, 'secrets', 'master-key'), 'utf8'), 'base64')).toHaveLength(32);
  for (const name of ['admin-key', 'client-key', 'master-key']) expect(await modeOf(join(dataDir, 'secrets', name))).toBe('600');
  expect(await modeOf(join(dataDir, 'secrets'))).toBe('700');
  expect(await readSecrets(dataDir, {})).toEqual(first);
});

test('secrets from the environment win, and are not written down', async () => {
  const dataDir = await ownDirectory();
  const secrets = await readSecrets(dataDir, { DEJA_ADMIN_KEY: 'admin', DEJA_BOOTSTRAP_KEY: 'sk-deja-x', DEJA_MASTER_KEY: 'a:AAAA' });
  expect(secrets).toEqual({ adminKey: 'admin', adminKeyFile: null, bootstrapKey: 'sk-deja-x', masterKey: { DEJA_MASTER_KEY: 'a:AAAA' } });
  await expect(stat(join(dataDir, 'secrets', 'admin-key'))).rejects.toThrow('ENOENT');
});

test('secrets from files that the environment names win too, stay where they are, and are not written down again', async () => {
  const dataDir = await ownDirectory();
  const [admin, client] = [join(dataDir, 'a'), join(dataDir, 'c')];
  await writeFile(admin, 'admin\n');
  await writeFile(client, ' sk-deja-x\n');
  const secrets = await readSecrets(dataDir, { DEJA_ADMIN_KEY_FILE: admin, DEJA_BOOTSTRAP_KEY_FILE: client, DEJA_MASTER_KEY_FILE: '/keys' });
  expect(secrets).toEqual({ adminKey: 'admin', adminKeyFile: admin, bootstrapKey: 'sk-deja-x', masterKey: { DEJA_MASTER_KEY_FILE: '/keys' } });
  expect(await readdir(join(dataDir, 'secrets'))).toEqual([]);
});

test('a secret that is given twice, or in a file that cannot be read or is empty, is one sentence that says which', async () => {
  const dataDir = await ownDirectory();
  await writeFile(join(dataDir, 'empty'), '\n');
  for (const name of ['DEJA_ADMIN_KEY', 'DEJA_BOOTSTRAP_KEY', 'DEJA_MASTER_KEY']) {
    await expect(readSecrets(dataDir, { [name]: 'x', [`${name}_FILE`]: '/x' })).rejects.toThrow(new LauncherError(`${name} and ${name}_FILE are both set: take out the one that is not meant.`));
  }
  await expect(secretFrom({ REDIS_URL_FILE: '/no/such/file' }, 'REDIS_URL')).rejects.toThrow('REDIS_URL_FILE names the file /no/such/file, which cannot be read (ENOENT): make it a file that you may read.');
  await expect(secretFrom({ REDIS_URL_FILE: join(dataDir, 'empty') }, 'REDIS_URL')).rejects.toThrow(new LauncherError(`REDIS_URL_FILE names the file ${join(dataDir, 'empty')}, which is empty: write the value into it.`));
  expect(await secretFrom({ REDIS_URL: ' redis://r ' }, 'REDIS_URL')).toBe('redis://r');
  expect(await secretFrom({ REDIS_URL: '', REDIS_URL_FILE: ' ' }, 'REDIS_URL')).toBeNull();
});

test('a secret that a full disk cut down to nothing is made again', async () => {
  const dataDir = await ownDirectory();
  await mkdir(join(dataDir, 'secrets'));
  await writeFile(join(dataDir, 'secrets', 'client-key'), '');
  expect((await readSecrets(dataDir, {})).bootstrapKey).toMatch(/^sk-deja-/);
});

test('two starts at once agree on the secrets', async () => {
  const dataDir = await ownDirectory();
  const both = await Promise.all([readSecrets(dataDir, {}), readSecrets(dataDir, {})]);
  expect(both[0]).toEqual(both[1]);
});
