import { GOOD_CHAT, type BadInput, type Known } from './bad-input.ts';
import { inChunks } from './request-bytes.ts';

const REFUSED = { status: 400, code: 'invalid_value', closes: true };
/** What an attacker wants to be read as a request of its own. */
const SMUGGLED = 'DELETE /v1/files/smuggled HTTP/1.1\r\nhost: deja\r\n\r\n';

/** How long a body is: everything that two servers in a row could read differently. */
export function framing({ key }: Known): BadInput[] {
  const json = JSON.stringify(GOOD_CHAT);
  const bytes = json.length;
  const framed = (name: string, lines: string[], body: string, version = 'HTTP/1.1'): BadInput => ({
    name,
    bytes: Buffer.from(`POST /v1/chat/completions ${version}\r\nhost: deja\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`, 'latin1'),
    ...REFUSED,
  });
  const chunked = 'transfer-encoding: chunked';
  return [
    ...['-1', '+5', '1.5', '5e0', '0x10', 'NaN', 'five', '5 5', '5,6', '5, 5', '5;5', '"5"', '٥', '99999999999999999999', '18446744073709551616', '', '-0', '5\t5', '5_0', '  '].map((value) => framed(`content-length ${JSON.stringify(value)}`, [`content-length: ${value}`], json)),
    framed('two different lengths', [`content-length: ${bytes}`, `content-length: ${bytes + 1}`], `${json}x`),
    framed('the same length twice', [`content-length: ${bytes}`, `content-length: ${bytes}`], json),
    framed('a length of nothing, then another', ['content-length: 0', `content-length: ${bytes}`], json),
    framed('a length and chunks (CL.TE)', ['content-length: 6', chunked], `0\r\n\r\n${SMUGGLED}`),
    framed('chunks and a length (TE.CL)', [chunked, 'content-length: 4'], inChunks([SMUGGLED])),
    framed('chunks and the right length', [chunked, `content-length: ${bytes}`], inChunks([json])),
    framed('a length, and chunks behind a space', [`content-length: ${bytes}`, 'transfer-encoding : chunked'], json),
    framed('a length, and chunks in a folded line', [`content-length: ${bytes}`, 'transfer-encoding:\r\n chunked'], json),
    framed('chunks twice (TE.TE)', [chunked, chunked], inChunks([json])),
    framed('chunks, then another encoding (TE.TE)', [chunked, 'transfer-encoding: identity'], `0\r\n\r\n${SMUGGLED}`),
    framed('another encoding, then chunks in a line of their own (TE.TE)', ['transfer-encoding: x', chunked], `0\r\n\r\n${SMUGGLED}`),
    ...['chunked, chunked', 'chunked, identity', 'identity', 'identity, chunked', 'gzip', 'gzip, chunked', 'chunked, gzip', 'deflate', 'xchunked', 'chunked;q=1', '"chunked"', 'chunked,', ', chunked', 'chunked x', 'c hunked', 'chunk', 'chunked\x0b', ' \tx', 'nothing', 'cow'].map((value) => framed(`transfer-encoding ${JSON.stringify(value)}`, [`transfer-encoding: ${value}`], inChunks([json]))),
    framed('an empty transfer-encoding', ['transfer-encoding:'], inChunks([json])),
    framed('chunks in HTTP/1.0', [chunked], inChunks([json]), 'HTTP/1.0'),
    framed('chunks and a length in HTTP/1.0', [chunked, `content-length: ${bytes}`], json, 'HTTP/1.0'),
    { ...framed('a body that ends before its length', [`content-length: ${bytes + 10}`], json), ends: true },
    framed('a body longer than its length', [`content-length: ${bytes - 1}`], json),
  ];
}

/** Chunks that are none. The request is refused at the first of them, and the rest of the connection never read. */
export function chunks({ key }: Known): BadInput[] {
  const json = JSON.stringify(GOOD_CHAT);
  const size = json.length.toString(16);
  const sent = (name: string, body: string): BadInput => ({
    name: `chunks: ${name}`,
    bytes: Buffer.from(`POST /v1/chat/completions HTTP/1.1\r\nhost: deja\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${body}`, 'latin1'),
    ...REFUSED,
  });
  return [
    ...['zz', '-1', '+5', '0x5', ' 5', '5 5', '5,', '"5"', '', 'ffffffffffffffffff', '1ffffffffffffffff', '5\t', '\0', '5.0', 'g', ';x', '5=6'].map((odd) => sent(`size ${JSON.stringify(odd)}`, `${odd}\r\n${json}\r\n0\r\n\r\n`)),
    sent('a size without a line break', `${size}${json}\r\n0\r\n\r\n`),
    sent('a size that ends in a line feed alone', `${size}\n${json}\r\n0\r\n\r\n`),
    sent('a size that ends in a carriage return alone', `${size}\r${json}\r\n0\r\n\r\n`),
    sent('data that goes on behind its size', `5\r\n${json}\r\n0\r\n\r\n`),
    sent('data that is shorter than its size', `${(json.length + 4).toString(16)}\r\n${json}\r\n0\r\n\r\n`),
    sent('data that ends in a line feed alone', `${size}\r\n${json}\n0\r\n\r\n`),
    sent('data that ends in nothing', `${size}\r\n${json}0\r\n\r\n`),
    { ...sent('no end', `${size}\r\n${json}\r\n`), ends: true },
    { ...sent('half an end', `${size}\r\n${json}\r\n0\r\n`), ends: true },
    { ...sent('nothing at all', ''), ends: true },
    sent('an extension with a line feed in it', `${size};a=b\nc\r\n${json}\r\n0\r\n\r\n`),
    sent('an extension with a NUL in it', `${size};a=\0\r\n${json}\r\n0\r\n\r\n`),
    sent('an extension that never ends', `${size};${'x'.repeat(40_000)}\r\n${json}\r\n0\r\n\r\n`),
    sent('a trailer without a colon', `${size}\r\n${json}\r\n0\r\ntrailer\r\n\r\n`),
    sent('a trailer with a NUL in it', `${size}\r\n${json}\r\n0\r\nx: a\0b\r\n\r\n`),
    sent('a trailer with a space in its name', `${size}\r\n${json}\r\n0\r\nx y: z\r\n\r\n`),
    sent('a folded trailer', `${size}\r\n${json}\r\n0\r\nx: y\r\n z\r\n\r\n`),
    { ...sent('trailers that are too long', `${size}\r\n${json}\r\n0\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`), status: 431 },
  ];
}
