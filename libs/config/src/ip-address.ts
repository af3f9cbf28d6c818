import { BlockList, isIP, isIPv4 } from 'node:net';

/** The bytes of an IP address (4 or 16), null for what is none. A zone (`%eth0`) says by which way it is reached and is no part of it. */
export function ipBytes(text: string): number[] | null {
  const ip = text.replace(/%.*$/, '');
  if (isIPv4(ip)) return ip.split('.').map(Number);
  if (isIP(ip) === 0) return null;
  // The URL parser writes every IPv6 address in one form: groups of hex, one run of zeros left out, no dots.
  const [head = '', tail] = new URL(`http://[${ip}]/`).hostname.slice(1, -1).split('::');
  const [before, after] = [groups(head), groups(tail ?? '')];
  const left = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<number>(left).fill(0), ...after].flatMap((group) => [group >> 8, group & 0xff]);
}

/**
 * The IPv4 addresses that an IPv6 address may stand for, as text: mapped and compatible ones (RFC 4291, section 2.5.5), SIIT's (RFC 2765),
 * NAT64's (RFC 6052; of the prefix that networks cut up themselves, RFC 8215, by every length it may have), 6to4's (RFC 3056).
 */
export function embeddedIpv4(bytes: readonly number[]): string[] {
  if (bytes.length !== 16) return [];
  const at = (...places: number[]): string => places.map((place) => bytes[place] ?? 0).join('.');
  if (inAny(bytes, V4_IN_LAST_BYTES)) return [at(12, 13, 14, 15)];
  if (inAny(bytes, LOCAL_NAT64)) return [at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), at(12, 13, 14, 15)];
  if (inAny(bytes, SIX_TO_FOUR)) return [at(2, 3, 4, 5)];
  return [];
}

/** An IPv4 or IPv6 network in CIDR, or one address; null for what is neither. */
export function networkOf(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', length, ...rest] = text.split('/');
  const kind = isIP(address);
  if (kind === 0 || rest.length > 0) return null;
  const longest = kind === 4 ? 32 : 128;
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || Number(length) > longest)) return null;
  return { address, prefix: length === undefined ? longest : Number(length), family: kind === 4 ? 'ipv4' : 'ipv6' };
}

/** Networks in CIDR, as something to ask. Throws a RangeError on what is no network. */
export function networks(...cidrs: string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const network = networkOf(cidr);
    if (network === null) throw new RangeError(`no network: ${cidr}`);
    list.addSubnet(network.address, network.prefix, network.family);
  }
  return list;
}

/** Whether an address is in one of these networks. */
export function inAny(bytes: readonly number[], list: BlockList): boolean {
  if (bytes.length === 4) return list.check(bytes.join('.'), 'ipv4');
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return list.check((hex.match(/.{4}/g) ?? []).join(':'), 'ipv6');
}

const V4_IN_LAST_BYTES = networks('::ffff:0:0/96', '::ffff:0:0:0/96', '::/96', '64:ff9b::/96');
const LOCAL_NAT64 = networks('64:ff9b:1::/48');
const SIX_TO_FOUR = networks('2002::/16');

const groups = (text: string): number[] => text.split(':').filter((group) => group !== '').map((group) => Number.parseInt(group, 16));
