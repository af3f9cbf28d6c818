import type { IncomingMessage } from 'node:http';
import { DejaError } from '@deja/contracts';

/**
 * What Node's parser lets pass in the head of a request and two readers of it may understand differently, so that one of them takes for a new request what the other takes for
 * the body of this one (RFC 9112, sections 3.2, 6.1 and 11.2); null for a head that has one meaning. Whoever sends such a request hears no more by this connection.
 */
export function headProblem({ httpVersion, url = '', headers, rawHeaders }: Pick<IncomingMessage, 'httpVersion' | 'url' | 'headers' | 'rawHeaders'>): DejaError | null {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return refused('Only HTTP/1.1 and HTTP/1.0 are spoken here.', null);
  if (headers.host === undefined) {
    if (httpVersion === '1.1') return refused('The request has no host header.', 'host');
  } else if (isNamedTwice(rawHeaders, 'host')) return refused('The request has more than one host header.', 'host');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') return refused('The only transfer-encoding that is read here is chunked.', 'transfer-encoding');
    if (httpVersion === '1.0') return refused('HTTP/1.0 has no transfer-encoding.', 'transfer-encoding');
    if (headers['content-length'] !== undefined) return refused('The request has both a transfer-encoding and a content-length.', 'transfer-encoding');
  }
  // Mostly a path. A whole URL, as clients send it to a proxy, has to be one.
  if (url.charCodeAt(0) !== SLASH && url !== '*' && !URL.canParse(url)) return refused('The address of the request cannot be read.', 'path');
  return null;
}

const SLASH = 0x2f;

const refused = (message: string, param: string | null): DejaError => new DejaError('invalid_value', message, param === null ? {} : { param });

/** Node keeps the first of them, others the last. */
function isNamedTwice(rawHeaders: readonly string[], name: string): boolean {
  let found = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const header = rawHeaders[i] ?? '';
    if (header.length === name.length && header.toLowerCase() === name) found += 1;
  }
  return found > 1;
}
