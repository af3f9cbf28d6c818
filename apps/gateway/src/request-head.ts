import type { IncomingMessage } from 'node:http';
import { DejaError } from '@deja/contracts';

type Head = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'httpVersion' | 'url'>;

/**
 * What is wrong with the head of a request that Node's parser has let pass, else null. Servers that stand one behind the other must not read different requests out of the same
 * bytes (request smuggling: RFC 9112, section 11.2), so whatever a proxy before this one could have read otherwise is refused; the connection is then to be closed. What
 * Node refuses by itself is in request-head.spec.ts.
 */
export function headProblem(head: Head): DejaError | null {
  const { headers, httpVersion, url = '' } = head;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return invalid('The request is neither HTTP/1.1 nor HTTP/1.0.', null);
  const encoding = headers['transfer-encoding'];
  // RFC 9112, section 6.1: HTTP/1.0 has none, and of those that HTTP/1.1 has no other is understood here.
  if (encoding !== undefined && (httpVersion === '1.0' || encoding.toLowerCase() !== 'chunked')) return invalid('The request has a transfer-encoding other than chunked.', 'transfer-encoding');
  if (encoding !== undefined && headers['content-length'] !== undefined) return invalid('The request has both a transfer-encoding and a content-length.', 'transfer-encoding');
  const { host } = headers;
  if (host === undefined && httpVersion === '1.1') return invalid('The request has no host header.', 'host');
  if (host !== undefined && !HOST.test(host)) return invalid('The host header names no host.', 'host');
  const twice = saidTwice(head);
  if (twice !== null) return invalid(`The request has several headers ${twice}, of which one is allowed.`, twice);
  return isTarget(url) ? null : invalid('The path of the request cannot be read.', 'path');
}

/** `host [":" port]`, and nothing where there is no authority (RFC 9110, section 7.2; RFC 3986, section 3.2.2). */
const HOST = /^(?:\[[\w:.%]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/;

/** One of the headers of which Node keeps the first where there are several, and a proxy may have gone by the last. What comes to the same is harmless, but for the host. */
function saidTwice({ rawHeaders, headers }: Pick<Head, 'rawHeaders' | 'headers'>): string | null {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const length = rawHeaders[i]?.length;
    if (length !== 4 && length !== 12 && length !== 13) continue; // most are none of these
    const name = rawHeaders[i]?.toLowerCase() ?? '';
    if (name === 'host') hosts++;
    else if (name === 'authorization' && rawHeaders[i + 1] !== headers[name]) return name;
    else if (name === 'content-type' && bodyType(rawHeaders[i + 1]) !== bodyType(headers[name])) return name;
  }
  return hosts > 1 ? 'host' : null;
}

/** As far as it decides how a body is read: all of it for a form, whose boundary it has, else without parameters. Client libraries that add a header of their user's to their own send two. */
function bodyType(contentType = ''): string {
  const type = contentType.replace(/;.*/s, '').trim().toLowerCase();
  return type.startsWith('multipart/') ? contentType.trim() : type;
}

const SLASH = 0x2f;

/** A path, `*`, or as a proxy is asked a whole URL, without a fragment (RFC 9112, section 3.2). `//[` would be read as the beginning of a host. */
function isTarget(url: string): boolean {
  if (url.includes('#')) return false;
  if (url.charCodeAt(0) === SLASH) return url.charCodeAt(1) !== SLASH || URL.canParse(url, 'http://gateway');
  return url === '*' || URL.canParse(url);
}

const invalid = (message: string, param: string | null): DejaError => new DejaError('invalid_value', message, param === null ? {} : { param });
