/** An answer as it came over the wire. */
export interface WireReply {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/**
 * The first final answer in these bytes and where it ends; null when it is not complete. An interim answer (1xx) before it is passed over.
 * @param closed nothing more comes: a body without a length ends here
 * @param isHead the answer to a HEAD has no body, whatever its headers say
 */
export function firstReply(bytes: Buffer, closed: boolean, isHead = false): { reply: WireReply; end: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [first = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? Number.NaN);
  const from = headEnd + 4;
  const rest = bytes.subarray(from);
  if (status >= 100 && status < 200) {
    const next = firstReply(rest, closed, isHead);
    return next === null ? null : { reply: next.reply, end: from + next.end };
  }
  const headers: Record<string, string> = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  const whole = (body: Buffer, length: number): { reply: WireReply; end: number } => ({ reply: { status, headers, body }, end: from + length });
  if (isHead || status === 204 || status === 304) return whole(Buffer.alloc(0), 0);
  if (headers['transfer-encoding'] === 'chunked') {
    const read = dechunked(rest);
    return read === null ? null : whole(read.body, read.end);
  }
  const length = headers['content-length'];
  if (length === undefined) return closed ? whole(rest, rest.length) : null;
  return rest.length >= Number(length) ? whole(rest.subarray(0, Number(length)), Number(length)) : null;
}

/** Every final answer in these bytes, and what is left behind the last. */
export function repliesIn(bytes: Buffer, closed: boolean, isHead = false): { replies: WireReply[]; rest: Buffer } {
  const replies: WireReply[] = [];
  let rest = bytes;
  for (let next = firstReply(rest, closed, isHead); next !== null; next = firstReply(rest, closed, isHead)) {
    replies.push(next.reply);
    rest = rest.subarray(next.end);
  }
  return { replies, rest };
}

function dechunked(bytes: Buffer): { body: Buffer; end: number } | null {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (size === 0) return bytes.length >= lineEnd + 4 ? { body: Buffer.concat(pieces), end: lineEnd + 4 } : null;
    if (bytes.length < lineEnd + 4 + size) return null;
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 4 + size;
  }
}
