import type { IncomingHttpHeaders } from 'node:http';
import type { BlockList } from 'node:net';
import { inAny, ipBytes, networkOf, networks } from '@deja/config';

const MAPPED = networks('::ffff:0:0/96');

/** Where requests come from, for whoever knows which proxies are the operator's own. */
export class ClientAddresses {
  private readonly trusted: BlockList | null;
  /** Of each connection: it stays what it is for all its requests. */
  private readonly ends = new WeakMap<object, { text: string; address: string | null }>();

  /** @param trustedProxies networks and addresses (DEJA_TRUSTED_PROXIES) */
  constructor(trustedProxies: readonly string[]) {
    this.trusted = trustedProxies.length === 0 ? null : networks(...trustedProxies);
  }

  /** As `clientAddress` says. */
  of(request: { headers: IncomingHttpHeaders; socket: { remoteAddress?: string | undefined } }): string | null {
    const end = this.endOf(request.socket);
    return this.trusted === null ? end : forwardedAddress(end, request.headers['x-forwarded-for'], this.trusted);
  }

  private endOf(socket: { remoteAddress?: string | undefined }): string | null {
    const { remoteAddress: text = '' } = socket;
    const known = this.ends.get(socket);
    if (known?.text === text) return known.address;
    const address = plainAddress(text);
    this.ends.set(socket, { text, address });
    return address;
  }
}

/**
 * The address that a request comes from; null where it cannot be told. What `x-forwarded-for` says is believed only as far as trusted proxies
 * wrote it: each adds at the end whom it heard from, so it is read from there, up to the first address that is no trusted proxy. What stands
 * before that one may be anybody's invention. An IPv4 address mapped into IPv6 (RFC 4291, section 2.5.5.2) is given as what it is.
 */
export function clientAddress(socketAddress: string | undefined, forwardedFor: string | string[] | undefined, trusted: BlockList | null): string | null {
  const end = plainAddress(socketAddress ?? '');
  return trusted === null ? end : forwardedAddress(end, forwardedFor, trusted);
}

/** @param end the address at the other end of the connection */
function forwardedAddress(end: string | null, forwardedFor: string | string[] | undefined, trusted: BlockList): string | null {
  let address = end;
  if (forwardedFor === undefined) return address;
  const hops = String(forwardedFor).split(',').map((hop) => hop.trim()).filter((hop) => hop !== '');
  while (address !== null && isWithin(address, trusted)) {
    const hop = hops.pop();
    if (hop === undefined) break;
    address = plainAddress(withoutPort(hop));
  }
  return address;
}

const lists = new WeakMap<readonly string[], BlockList>();

/** Whether an address is in one of these networks (CIDR or single addresses). What is no network holds nothing. */
export function isInNetworks(address: string, cidrs: readonly string[]): boolean {
  const known = lists.get(cidrs);
  const list = known ?? networks(...cidrs.filter((cidr) => networkOf(cidr) !== null));
  if (known === undefined) lists.set(cidrs, list);
  return isWithin(address, list);
}

/** Also where the list has an IPv4 network in its mapped form. */
function isWithin(address: string, list: BlockList): boolean {
  const bytes = ipBytes(address);
  if (bytes === null) return false;
  return inAny(bytes, list) || (bytes.length === 4 && inAny([...Array<number>(10).fill(0), 0xff, 0xff, ...bytes], list));
}

function plainAddress(text: string): string | null {
  const bytes = ipBytes(text);
  if (bytes === null) return null;
  if (bytes.length === 4 || inAny(bytes, MAPPED)) return bytes.slice(-4).join('.');
  return text.replace(/%.*$/, '').toLowerCase();
}

/** `192.0.2.1:443`, `[2001:db8::1]:443` and `[2001:db8::1]`, as some proxies write them. */
function withoutPort(hop: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
}
