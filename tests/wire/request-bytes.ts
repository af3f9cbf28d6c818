/** A request as it goes over the wire: what is not said is what a well-behaved client would send. */
export interface RequestParts {
  method?: string;
  /** Path and query, or any other form of target. */
  target?: string;
  version?: string;
  /** null: none. */
  host?: string | null;
  /** Sent in this order, as Latin-1, behind `host`. */
  headers?: readonly (readonly [name: string, value: string])[];
  /** Goes out as it is; its `content-length` is added unless `framed` is false. */
  body?: string | Buffer;
  framed?: boolean;
}

/** The bytes of one request. Nothing is escaped or checked: a line break in a header's value is one. */
export function requestBytes({ method = 'POST', target = '/v1/chat/completions', version = 'HTTP/1.1', host = 'deja', headers = [], body = '', framed = true }: RequestParts): Buffer {
  const payload = Buffer.isBuffer(body) ? body : Buffer.from(body);
  const length = framed && (payload.length > 0 || method === 'POST') ? [`content-length: ${payload.length}`] : [];
  const lines = [`${method} ${target} ${version}`, ...(host === null ? [] : [`host: ${host}`]), ...headers.map(([name, value]) => `${name}: ${value}`), ...length];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), payload]);
}

/** A body in chunks, each with this extension behind its size. */
export function inChunks(pieces: readonly string[], { extension = '', trailers = '' } = {}): string {
  const chunks = pieces.map((piece) => `${Buffer.byteLength(piece).toString(16)}${extension}\r\n${piece}\r\n`);
  return `${chunks.join('')}0\r\n${trailers}\r\n`;
}
