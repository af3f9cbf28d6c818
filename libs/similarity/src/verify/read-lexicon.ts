import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { Lexicon } from './lexicon.ts';

/** The part of the lexicon's manifest that loading needs. */
interface Manifest {
  file: { file: string; bytes: number; sha256: string };
}

/** Reads the lexicon and checks it against its manifest; throws an Error that names the file. */
export async function readLexicon(folder: URL): Promise<Lexicon> {
  const { file: { file, bytes, sha256 } } = JSON.parse(await readFile(new URL('manifest.json', folder), 'utf8')) as Manifest;
  const packed = await readFile(new URL(file, folder));
  if (packed.length !== bytes || hash('sha256', packed, 'hex') !== sha256) {
    throw new Error(`The lexicon's file ${file} is not the one its manifest describes; fetch the repository again.`);
  }
  return new Lexicon(gunzipSync(packed));
}
