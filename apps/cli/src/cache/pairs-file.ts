import { open, type FileHandle } from 'node:fs/promises';
import { CliFailure, EXIT } from '../failure.ts';
import { systemCode } from './lines.ts';
import type { MergedPair } from './merged-pairs.ts';

const BATCH_CHARS = 64 * 1024;

/** Merged pairs as JSONL, a line each. */
export class PairsFile {
  readonly #file: FileHandle;
  #batch = '';
  written = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Rejects with a CliFailure where it cannot be written. What was in it is lost. */
  static async create(path: string): Promise<PairsFile> {
    try {
      return new PairsFile(await open(path, 'w'));
    } catch (error) {
      throw new CliFailure(EXIT.usage, `${path} cannot be written (${systemCode(error) ?? String(error)}).`);
    }
  }

  add({ a, b, kind, similarity, explanation, tenant }: MergedPair): void {
    this.#batch += `${JSON.stringify({ a, b, kind, similarity: Math.round(similarity * 1e4) / 1e4, explanation, tenant })}\n`;
    this.written++;
  }

  /** Between additions: what waits is written once it is worth it. */
  async drain(): Promise<void> {
    if (this.#batch.length >= BATCH_CHARS) await this.#write();
  }

  async close(): Promise<void> {
    await this.#write();
    await this.#file.close();
  }

  async #write(): Promise<void> {
    const batch = this.#batch;
    this.#batch = '';
    await this.#file.appendFile(batch);
  }
}
