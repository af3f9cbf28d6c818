import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeDataDirectory } from './data-directory.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'deja-data-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('the data directory', () => {
  test('is made with all its parents, by two starts at once too', async () => {
    const path = join(dir, 'a', 'b', 'c');
    await Promise.all([makeDataDirectory(path), makeDataDirectory(path)]);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  test('a file in its place is said in a sentence', async () => {
    const file = join(dir, 'file');
    await writeFile(file, '');
    await expect(makeDataDirectory(file)).rejects.toMatchObject({ name: 'LauncherError', message: expect.stringContaining(file) });
    await expect(makeDataDirectory(join(file, 'below'))).rejects.toMatchObject({ name: 'LauncherError' });
  });

  test('a place that takes no directories ends the start instead of trying for ever', async () => {
    await expect(makeDataDirectory('/proc/deja/data')).rejects.toMatchObject({ name: 'LauncherError' });
  });
});
