import { promisify } from 'node:util';
import { constants, createZstdCompress, zstdCompress, zstdCompressSync, zstdDecompressSync, type ZstdCompress, type ZstdOptions } from 'node:zlib';

/** Higher levels save 5 % of a chat's bytes and cost half as much time again (bench/capture-cost.ts). */
const LEVEL = 1;
/** So much is compressed sooner than another thread is woken for it. */
const SHORT_BYTES = 128 * 1024;
/** A frame of a short text has no more (ZSTD_COMPRESSBOUND of zstd.h), and one byte stays free. */
const MOST_FRAME_BYTES = SHORT_BYTES + (SHORT_BYTES >> 8) + 64 + 1;

const compressedElsewhere = promisify(zstdCompress);

/** A zstd frame (RFC 8878): at once for a short text, from another thread for a long one. */
export function zstdFrame(bytes: Buffer): Buffer | Promise<Buffer> {
  return bytes.length <= SHORT_BYTES ? (frames ??= new ShortFrames()).frame(bytes) : compressedElsewhere(bytes, optionsFor(bytes));
}

let frames: ShortFrames | null = null;

/** Where the insides of a stream are known to be what they are taken for here; elsewhere calling them might end the process. */
const KNOWN_NODE = /^24\./;

/** What a stream of node:zlib has inside: its context, and what the context's last call left of the room and of the text, bytes. */
interface Insides {
  _handle: { writeSync(flush: number, from: Buffer, fromAt: number, fromBytes: number, to: Buffer, toAt: number, toBytes: number): void };
  _writeState: Uint32Array;
}

/**
 * Frames of short texts, all made with one context. `zstdCompressSync` makes a context for each, which takes two to four times as long as compressing a
 * chat; the documented way to keep one, a stream, wakes another thread for each write, which takes longer still. So the context inside a stream is
 * called itself. It is tried first; with another version of Node, or when it fails, each text gets a context of its own again.
 */
export class ShortFrames {
  private readonly stream: ZstdCompress;
  private readonly room = Buffer.allocUnsafeSlow(MOST_FRAME_BYTES);
  private insides: Insides | null;

  /** @param stream that nobody else writes to @param node version of Node */
  constructor(stream = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }), node = process.versions.node) {
    this.stream = stream.on('error', () => undefined);
    this.insides = KNOWN_NODE.test(node) ? insidesOf(stream) : null;
    if (!['a text', 'and another'].every((text) => this.works(text))) this.insides = null;
  }

  get isContextKept(): boolean {
    return this.insides !== null;
  }

  frame(bytes: Buffer): Buffer {
    return this.withKeptContext(bytes) ?? zstdCompressSync(bytes, optionsFor(bytes));
  }

  /** null where the context is not what it was taken for: it is not asked again. */
  private withKeptContext(bytes: Buffer): Buffer | null {
    const { room, insides } = this;
    if (insides === null) return null;
    try {
      if (!this.stream.destroyed) insides._handle.writeSync(constants.ZSTD_e_end, bytes, 0, bytes.length, room, 0, room.length);
      const [roomLeft = 0, textLeft = 0] = insides._writeState;
      if (roomLeft > 0 && textLeft === 0 && !this.stream.destroyed) return Buffer.from(room.subarray(0, room.length - roomLeft));
    } catch {
      // As if it had failed.
    }
    this.insides = null;
    return null;
  }

  private works(text: string): boolean {
    try {
      const frame = this.withKeptContext(Buffer.from(text));
      return frame !== null && zstdDecompressSync(frame).toString() === text;
    } catch {
      return false;
    }
  }
}

function insidesOf(stream: ZstdCompress): Insides | null {
  const { _handle, _writeState } = stream as unknown as Partial<Insides>;
  return typeof _handle?.writeSync === 'function' && ArrayBuffer.isView(_writeState) ? { _handle, _writeState } : null;
}

const optionsFor = ({ length }: Buffer): ZstdOptions => ({ params: { [constants.ZSTD_c_compressionLevel]: LEVEL }, pledgedSrcSize: length });
