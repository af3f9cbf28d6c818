import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** The part of a model's manifest that loading needs. */
interface Manifest {
  id: string;
  version: number;
  dimensions: number;
  pieces: number;
  maxPieces: number;
  files: Record<'table' | 'scales' | 'vocabulary' | 'rare', { file: string; bytes: number; sha256: string }>;
}

export interface ModelFiles {
  /** `id/version`: vectors of different ones must never meet. */
  name: string;
  dimensions: number;
  pieces: number;
  maxPieces: number;
  /** int8, row-major, pieces × dimensions. */
  table: Int8Array;
  /** One factor for each row of the table. */
  scales: Float32Array;
  vocabulary: string;
  /** Bit (id & 7) of byte (id >> 3): the training texts hardly ever showed this piece. */
  rare: Uint8Array;
}

/** Reads a static embedder and checks every file against its manifest; throws an Error that names the file. */
export async function readModelFiles(folder: URL): Promise<ModelFiles> {
  const manifest = JSON.parse(await readFile(new URL('manifest.json', folder), 'utf8')) as Manifest;
  const { dimensions, pieces, maxPieces } = manifest;
  const read = async ({ file, bytes, sha256 }: { file: string; bytes: number; sha256: string }): Promise<Buffer> => {
    const content = await readFile(new URL(file, folder));
    if (content.length !== bytes || hash('sha256', content, 'hex') !== sha256) {
      throw new Error(`The model file ${file} is not the one its manifest describes; fetch the repository again.`);
    }
    return content;
  };
  const [table, scales, vocabulary, rare] = await Promise.all([
    read(manifest.files.table), read(manifest.files.scales), read(manifest.files.vocabulary), read(manifest.files.rare),
  ]);
  if (table.length !== pieces * dimensions || scales.length !== pieces * 4) throw new Error(`The model in ${folder.pathname} has tables of the wrong size.`);
  return {
    name: `${manifest.id}/${manifest.version}`,
    dimensions,
    pieces,
    maxPieces,
    table: new Int8Array(table.buffer, table.byteOffset, table.length),
    scales: littleEndianFloats(scales),
    vocabulary: vocabulary.toString('utf8'),
    rare,
  };
}

function littleEndianFloats(bytes: Buffer): Float32Array {
  const floats = new Float32Array(bytes.length / 4);
  for (let i = 0; i < floats.length; i++) floats[i] = bytes.readFloatLE(i * 4);
  return floats;
}
