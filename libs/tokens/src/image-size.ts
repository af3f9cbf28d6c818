export interface ImageSize {
  width: number;
  height: number;
}

/** A JPEG's size may stand behind its camera's data and a thumbnail; more segments than this no camera writes. */
const MAX_JPEG_SEGMENTS = 200;

/**
 * Width and height in pixels of a PNG, JPEG, GIF or WebP given as a base64 data URL; null when it is none of these or damaged.
 * Decodes only the few bytes that say so, wherever they stand. Sources: PNG specification section 11.2.2; GIF89a section 18;
 * ITU T.81 section B.2.2; RFC 9649.
 */
export function imageSize(dataUrl: string): ImageSize | null {
  const head = /^data:[^,]{0,256};base64,/i.exec(dataUrl.slice(0, 300));
  if (!head) return null;
  const bytes = reader(dataUrl, head[0].length);
  const start = bytes(0, 30);
  const size = png(start) ?? gif(start) ?? webp(start) ?? jpeg(bytes, start);
  return size && size.width > 0 && size.height > 0 ? size : null;
}

/** Some bytes of the image; fewer where it ends. Base64 has three bytes in four characters, so any place is found at once. */
type Bytes = (offset: number, length: number) => Buffer;

function reader(dataUrl: string, start: number): Bytes {
  return (offset, length) => {
    const skipped = offset % 3;
    const from = start + ((offset - skipped) / 3) * 4;
    const chars = Math.ceil((skipped + length) / 3) * 4;
    return Buffer.from(dataUrl.slice(from, from + chars), 'base64').subarray(skipped, skipped + length);
  };
}

const text = (bytes: Buffer, from: number, to: number): string => bytes.toString('latin1', from, to);

function png(start: Buffer): ImageSize | null {
  if (start.length < 24 || text(start, 1, 8) !== 'PNG\r\n\x1a\n' || text(start, 12, 16) !== 'IHDR') return null;
  return { width: start.readUInt32BE(16), height: start.readUInt32BE(20) };
}

function gif(start: Buffer): ImageSize | null {
  if (start.length < 10 || !/^GIF8[79]a$/.test(text(start, 0, 6))) return null;
  return { width: start.readUInt16LE(6), height: start.readUInt16LE(8) };
}

function webp(start: Buffer): ImageSize | null {
  if (start.length < 30 || text(start, 0, 4) !== 'RIFF' || text(start, 8, 12) !== 'WEBP') return null;
  switch (text(start, 12, 16)) {
    case 'VP8 ': // the frame header's start code, then 14 bits each
      return start.readUIntBE(23, 3) === 0x9d012a ? { width: start.readUInt16LE(26) & 0x3fff, height: start.readUInt16LE(28) & 0x3fff } : null;
    case 'VP8L': { // a signature byte, then 14 bits each, less one
      const bits = start.readUInt32LE(21);
      return start[20] === 0x2f ? { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 } : null;
    }
    case 'VP8X': // the canvas, 24 bits each, less one
      return { width: start.readUIntLE(24, 3) + 1, height: start.readUIntLE(27, 3) + 1 };
    default:
      return null;
  }
}

/** Goes from segment to segment by their lengths until the frame header, which has the size. */
function jpeg(bytes: Bytes, start: Buffer): ImageSize | null {
  if (start[0] !== 0xff || start[1] !== 0xd8) return null;
  let offset = 2;
  for (let segment = 0; segment < MAX_JPEG_SEGMENTS; segment++) {
    const head = bytes(offset, 9);
    const marker = head[1];
    if (head.length < 9 || head[0] !== 0xff || marker === undefined) return null;
    if (marker === 0xff) offset += 1; // padding
    else if (isFrameHeader(marker)) return { height: head.readUInt16BE(5), width: head.readUInt16BE(7) };
    else if (marker === 0xd9 || marker === 0xda) return null; // the end, or pixels already
    else offset += 2 + (isAlone(marker) ? 0 : head.readUInt16BE(2));
  }
  return null;
}

/** SOF0 to SOF15, without the Huffman (C4) and arithmetic (CC) tables and the reserved C8 among them. */
const isFrameHeader = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
/** Markers that no length follows. */
const isAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
