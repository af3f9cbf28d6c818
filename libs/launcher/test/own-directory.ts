import { rm } from 'node:fs/promises';
import { afterAll } from '@jest/globals';
import { temporaryDirectory } from '../src/temporary-directory.ts';

const made: string[] = [];
afterAll(() => Promise.all(made.map((directory) => rm(directory, { recursive: true, force: true }))));

/** A new directory that goes when this file's tests are done. */
export async function ownDirectory(): Promise<string> {
  const directory = await temporaryDirectory('deja-launcher-');
  made.push(directory);
  return directory;
}
