import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { captureAdditionalData, type CapturedPart, type SealedBody } from '@deja/contracts';
import { MOST_TEXT_BYTES, type ClearText } from './captured-text.ts';
import { zstdFrame } from './zstd-frames.ts';

/** What a body is sealed for, and opens for. */
export interface SealedFor {
  tenant: string;
  operation: string;
  part: CapturedPart;
}

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES;

const decompressed = promisify(zstdDecompress);

/** Compresses and encrypts a text as SealedBody says. @param key 32 bytes */
export async function sealBody(text: ClearText, key: KeyObject, about: SealedFor): Promise<SealedBody> {
  const sealed = sealedBytes(await zstdFrame(text.bytes), key, about, nextNonce());
  return { sealed: sealed.toString('base64'), bytes: text.length, truncated: text.truncated };
}

/** Random bytes are drawn for so many nonces at once: each draw asks the kernel. */
const NONCES_DRAWN = 256;
let drawn = Buffer.alloc(0);

/** No two are made of the same bytes. */
function nextNonce(): Buffer {
  if (drawn.length === 0) drawn = randomBytes(NONCE_BYTES * NONCES_DRAWN);
  const nonce = drawn.subarray(0, NONCE_BYTES);
  drawn = drawn.subarray(NONCE_BYTES);
  return nonce;
}

/** AES-256-GCM (NIST SP 800-38D). @param nonce 12 bytes, never used twice with one key */
export function sealedBytes(packed: Buffer, key: KeyObject, about: SealedFor, nonce: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(captureAdditionalData(about)));
  return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.update(packed), cipher.final(), cipher.getAuthTag()]);
}

/** The text. Rejects for what was changed, was sealed for another operation or part, or with another key. */
export async function openBody({ sealed }: Pick<SealedBody, 'sealed'>, key: KeyObject, about: SealedFor): Promise<string> {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes[0] !== FORMAT) throw new Error(`a captured body of format ${bytes[0] ?? 'none'} cannot be read by this version`);
  if (bytes.length < HEAD_BYTES + TAG_BYTES) throw new Error('a captured body is too short to be one');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, HEAD_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(captureAdditionalData(about)));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const packed = Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()]);
  return (await decompressed(packed, { maxOutputLength: MOST_TEXT_BYTES })).toString('utf8');
}
