import fc from 'fast-check';
import { imageSize } from './index.ts';

const url = (type: string, bytes: Buffer) => `data:image/${type};base64,${bytes.toString('base64')}`;
const be16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
const le16 = (value: number) => Buffer.from([value & 0xff, value >> 8]);
const le24 = (value: number) => Buffer.from([value & 0xff, (value >> 8) & 0xff, value >> 16]);
const le32 = (value: number) => Buffer.from([value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24]);
const be32 = (value: number) => Buffer.from(le32(value).toReversed());
const words = (text: string) => Buffer.from(text, 'latin1');

const png = (width: number, height: number) => Buffer.concat([words('\x89PNG\r\n\x1a\n'), be32(13), words('IHDR'), be32(width), be32(height), Buffer.alloc(9)]);
const gif = (width: number, height: number) => Buffer.concat([words('GIF89a'), le16(width), le16(height), Buffer.alloc(3)]);
const riff = (kind: string, chunk: Buffer) => Buffer.concat([words('RIFF'), le32(chunk.length + 12), words('WEBP'), words(kind), le32(chunk.length), chunk, Buffer.alloc(12)]);
const webp = {
  lossy: (width: number, height: number) => riff('VP8 ', Buffer.concat([Buffer.alloc(3), Buffer.from([0x9d, 0x01, 0x2a]), le16(width), le16(height)])),
  lossless: (width: number, height: number) => riff('VP8L', Buffer.concat([Buffer.from([0x2f]), le32(((width - 1) | ((height - 1) << 14)) >>> 0)])),
  extended: (width: number, height: number) => riff('VP8X', Buffer.concat([Buffer.alloc(4), le24(width - 1), le24(height - 1)])),
};
const segment = (marker: number, body: Buffer) => Buffer.concat([Buffer.from([0xff, marker]), be16(body.length + 2), body]);
const jpeg = (width: number, height: number, before: Buffer[] = [], frame = 0xc0) =>
  Buffer.concat([Buffer.from([0xff, 0xd8]), ...before, segment(frame, Buffer.concat([Buffer.from([8]), be16(height), be16(width), Buffer.alloc(10)]))]);

const side = fc.integer({ min: 1, max: 16_000 });

test.each([
  ['PNG', 'png', png],
  ['GIF', 'gif', gif],
  ['JPEG', 'jpeg', jpeg],
  ['lossy WebP', 'webp', webp.lossy],
  ['lossless WebP', 'webp', webp.lossless],
  ['extended WebP', 'webp', webp.extended],
])('the size of a %s is read from its header', (_format, type, image) => {
  fc.assert(fc.property(side, side, (width, height) => {
    expect(imageSize(url(type, image(width, height)))).toEqual({ width, height });
  }));
});

test('a JPEG’s size is found behind whatever its camera wrote before it', () => {
  const exif = segment(0xe1, Buffer.alloc(65_000, 0xff));
  const tables = segment(0xc4, Buffer.alloc(30));
  const padding = Buffer.from([0xff, 0xff]);
  fc.assert(fc.property(fc.array(fc.constantFrom(exif, tables, padding, segment(0xfe, words('a comment'))), { maxLength: 9 }), fc.constantFrom(0xc0, 0xc1, 0xc2, 0xcf), (before, frame) => {
    expect(imageSize(url('jpeg', jpeg(640, 480, before, frame)))).toEqual({ width: 640, height: 480 });
  }));
});

test('the type a client declares does not matter, what the bytes are does', () => {
  expect(imageSize(url('jpeg', png(3, 4)))).toEqual({ width: 3, height: 4 });
  expect(imageSize(`DATA:image/png;charset=x;BASE64,${png(3, 4).toString('base64url')}`)).toEqual({ width: 3, height: 4 });
});

test('what follows the header is not looked at', () => {
  expect(imageSize(`${url('png', png(3, 4))}!`.padEnd(1000, '!'))).toEqual({ width: 3, height: 4 });
});

test('an image cut short, of no size or without end is of unknown size', () => {
  for (const image of [png(3, 4), gif(3, 4), jpeg(3, 4), webp.lossy(3, 4), webp.lossless(3, 4), webp.extended(3, 4)]) expect(imageSize(url('x', image.subarray(0, 9)))).toBeNull();
  for (const image of [png(0, 4), gif(3, 0), jpeg(3, 0)]) expect(imageSize(url('x', image))).toBeNull();
  expect(imageSize(url('jpeg', jpeg(3, 4, Array.from({ length: 300 }, () => segment(0xfe, Buffer.alloc(0))))))).toBeNull();
  expect(imageSize(url('jpeg', Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xda]), Buffer.alloc(20)])))).toBeNull();
});

test('anything else is of unknown size, and never an error', () => {
  for (const text of ['', 'https://example.com/a.png', 'data:image/png,raw', 'data:;base64,', 'data:image/svg+xml;base64,PHN2Zz4=']) expect(imageSize(text)).toBeNull();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(Buffer.alloc(0), words('\x89PNG\r\n\x1a\n'), words('GIF89a'), words('RIFF1234WEBP'), Buffer.from([0xff, 0xd8])), (bytes, magic) => {
    const size = imageSize(url('x', Buffer.concat([magic, bytes]))) ?? { width: 1, height: 1 };
    expect(Math.min(size.width, size.height)).toBeGreaterThan(0);
  }), { numRuns: 2000 });
});
