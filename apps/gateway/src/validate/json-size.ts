import { DejaError } from '@deja/contracts';

/** A smaller body cannot take much memory, however it is written. */
const LARGE_BYTES = 1024 * 1024;
/** The most objects, lists and members that a large body has together: a conversation of a thousand messages with tools has some tens of thousands. */
export const MOST_JSON_PARTS = 250_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;

/**
 * Throws a 400 for a large body that is made of more parts than any request has: parsed, each of two bytes takes some fifty. Texts and numbers are not counted, whose memory is
 * a few times their bytes at most. One pass over the bytes outside of texts, before anything is made of them.
 */
export function checkJsonSize(bytes: Buffer): void {
  if (bytes.length <= LARGE_BYTES) return;
  let parts = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) i = endOfText(bytes, i);
    else if (byte === OPEN_OBJECT || byte === OPEN_LIST || byte === COLON) parts += 1;
  }
  if (parts > MOST_JSON_PARTS) throw new DejaError('invalid_value', `The request body has more than ${MOST_JSON_PARTS} objects, lists and members together, which is the most allowed in one of more than 1 MiB.`);
}

/** Index of the quote that ends a text; of the last byte where none does. */
function endOfText(bytes: Buffer, open: number): number {
  for (let close = bytes.indexOf(QUOTE, open + 1); close >= 0; close = bytes.indexOf(QUOTE, close + 1)) {
    let backslashes = 0;
    while (bytes[close - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return close;
  }
  return bytes.length;
}
