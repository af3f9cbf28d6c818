// Marks the vocabulary pieces that the training texts hardly ever showed: `node rare-pieces.ts texts.jsonl`, one
// {"text": …} a line. Writes static-256.rare.bits: bit (id & 7) of byte (id >> 3) is 1 for a rare piece.
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WordPiece } from '../../libs/similarity/src/embed/wordpiece.ts';

/** A piece in fewer texts than this has a vector that training hardly moved. */
const SEEN_ENOUGH_TEXTS = 3;

const here = import.meta.dirname;
const wordPiece = new WordPiece(readFileSync(`${here}/vocab.txt`, 'utf8'));
const texts = new Uint32Array(wordPiece.size);
for await (const line of createInterface({ input: createReadStream(process.argv[2] ?? 'texts.jsonl') })) {
  const { text } = JSON.parse(line) as { text: string };
  for (const id of new Set(wordPiece.encode(text, Infinity))) texts[id] = (texts[id] ?? 0) + 1;
}
const bits = new Uint8Array(Math.ceil(texts.length / 8));
for (const [id, count] of texts.entries()) if (count < SEEN_ENOUGH_TEXTS) bits[id >> 3] = (bits[id >> 3] ?? 0) | (1 << (id & 7));
writeFileSync(`${here}/static-256.rare.bits`, bits);
