import type { BlockList } from 'node:net';
import { domainToASCII } from 'node:url';
import { embeddedIpv4, inAny, ipBytes, networkOf, networks } from './ip-address.ts';

/** `outbound.allow`, ready to be asked. */
export interface OutboundRule {
  /** Equal for equal rules. */
  key: string;
  hosts: ReadonlySet<string>;
  /** `.example.com` for `*.example.com`. */
  suffixes: readonly string[];
  networks: BlockList;
}

/**
 * Where credentials of machines are given out to whoever asks, and what only the own machine can reach. Nobody's provider is there: refused
 * for everyone, whatever the file says. Link-local (RFC 3927, RFC 4291); AWS "IPv6 on AWS" (the local services of Nitro instances);
 * Google Cloud "View and query VM metadata"; Azure "What is IP address 168.63.129.16?"; Alibaba Cloud "Instance metadata"; Oracle's former 192.0.0.192.
 */
const NEVER = networks('169.254.0.0/16', 'fe80::/10', 'fd00:ec2::/32', 'fd20:ce::254', '168.63.129.16', '100.100.100.200', '192.0.0.192');
const NEVER_NAMES = new Set(['metadata.google.internal', 'metadata.goog', 'instance-data.ec2.internal', 'metadata.tencentyun.com', 'metadata.azure.internal']);

/** What IANA's registries of special-purpose addresses (RFC 6890) do not call globally reachable. */
const NOT_PUBLIC_V4 = networks(
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24',
  '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
);
/** Of IPv6 only this much is given out for the public internet (RFC 4291), and of it not all. */
const UNICAST_V6 = networks('2000::/3');
const NOT_PUBLIC_V6 = networks('2001::/23', '2001:db8::/32', '3fff::/20');
/** Endings of names that no public name server knows (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`). */
const INNER_ENDINGS = ['.localhost', '.local', '.internal', '.home.arpa'];

const HOST = /^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const WHAT_TO_ALLOW = 'a host (llm.internal), all hosts below one (*.example.com) or a network (10.0.0.0/8)';

/** The rule that a list of hosts and networks makes. Entries that are neither make a problem each and no part of the rule. */
export function outboundRule(allow: readonly string[]): { rule: OutboundRule; problems: { index: number; message: string }[] } {
  const hosts = new Set<string>();
  const suffixes: string[] = [];
  const inner: string[] = [];
  const problems: { index: number; message: string }[] = [];
  allow.forEach((entry, index) => {
    const message = entryProblem(entry);
    if (message !== null) problems.push({ index, message });
    else if (networkOf(entry) !== null) inner.push(entry);
    else if (entry.startsWith('*.')) suffixes.push(`.${hostName(entry.slice(2))}`);
    else hosts.add(hostName(entry) ?? '');
  });
  return { rule: { key: JSON.stringify([[...hosts], suffixes, inner]), hosts, suffixes, networks: networks(...inner) }, problems };
}

function entryProblem(entry: string): string | null {
  const network = networkOf(entry);
  const host = hostName(entry.replace(/^\*\./, ''));
  if (network === null && host === null) return `${JSON.stringify(entry)} is neither a host nor a network: write ${WHAT_TO_ALLOW}, without a scheme, port or path`;
  const never = network === null ? NEVER_NAMES.has(host ?? '') : isNever(ipBytes(network.address) ?? []);
  return never ? `${entry} is a link-local or metadata address, which is never called: take it out` : null;
}

/** What is wrong with an address as the file may give it, else null. Such addresses are shown to operators and travel between the apps: nothing secret may stand in one. */
export function baseUrlProblem(baseUrl: string): string | null {
  if (!URL.canParse(baseUrl)) return 'must be a URL, such as https://api.example.com/v1';
  const url = new URL(baseUrl);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must start with https:// or http://';
  if (url.username !== '' || url.password !== '') return 'must hold neither user nor password: write secrets under credentials';
  if (url.search !== '' || url.hash !== '') return 'must end before any ? or #: write secrets under credentials';
  const host = bareHost(url.hostname);
  const bytes = ipBytes(host);
  if (bytes === null ? NEVER_NAMES.has(host) : isNever(bytes)) return `must not name ${host}: link-local and metadata addresses are never called`;
  return null;
}

/**
 * What is wrong with an address that comes by the admin API, else null: it must be https and on the public internet unless `rule` allows
 * its host. What a name resolves to is not known here: that is judged at every connection, by `isForbiddenIp`.
 */
export function addressProblem(baseUrl: string, rule: OutboundRule): string | null {
  const wrong = baseUrlProblem(baseUrl);
  if (wrong !== null) return wrong;
  const url = new URL(baseUrl);
  const host = bareHost(url.hostname);
  const bytes = ipBytes(host);
  if (bytes === null ? isAllowedHost(host, rule) : isAllowedIp(bytes, rule)) return null;
  const isInner = bytes === null ? !host.includes('.') || INNER_ENDINGS.some((ending) => host.endsWith(ending)) : !isPublic(bytes);
  if (isInner) return `must not name ${host}, which is not on the public internet: use a public address, or add ${host} to outbound.allow in deja.yaml`;
  if (url.protocol !== 'https:') return `must start with https://: what is sent there is secret (for ${host} over http, add it to outbound.allow in deja.yaml)`;
  return null;
}

/** Whether the rule names this host, so that whatever it resolves to is fine. */
export function isAllowedHost(host: string, rule: OutboundRule): boolean {
  const name = bareHost(host.toLowerCase());
  return rule.hosts.has(name) || rule.suffixes.some((suffix) => name.endsWith(suffix));
}

/**
 * Whether no connection may be made to this IP address. With a rule: everything that is neither public nor in one of the rule's networks; without (null): only
 * what is never called. An IPv6 address that stands for an IPv4 one is judged as both. What is no address is forbidden.
 */
export function isForbiddenIp(ip: string, rule: OutboundRule | null): boolean {
  const bytes = ipBytes(ip);
  if (bytes === null || isNever(bytes)) return true;
  return rule !== null && !isPublic(bytes) && !isAllowedIp(bytes, rule);
}

function isNever(bytes: readonly number[]): boolean {
  return inAny(bytes, NEVER) || embeddedIpv4(bytes).some((ip) => isNever(ipBytes(ip) ?? []));
}

function isPublic(bytes: readonly number[]): boolean {
  if (bytes.length === 4) return !inAny(bytes, NOT_PUBLIC_V4);
  const stands = embeddedIpv4(bytes);
  // Of an address with several readings nobody knows here which one is meant.
  if (stands.length > 0) return stands.length === 1 && stands.every((ip) => isPublic(ipBytes(ip) ?? []));
  return inAny(bytes, UNICAST_V6) && !inAny(bytes, NOT_PUBLIC_V6);
}

function isAllowedIp(bytes: readonly number[], rule: OutboundRule): boolean {
  const stands = embeddedIpv4(bytes);
  return inAny(bytes, rule.networks) || (stands.length === 1 && stands.every((ip) => isAllowedIp(ipBytes(ip) ?? [], rule)));
}

/** A host as written in the list, in the form in which URLs give it; null for what is none. */
function hostName(text: string): string | null {
  const host = /[/:?#@%\\]/.test(text) ? '' : bareHost(domainToASCII(text));
  return HOST.test(host) && ipBytes(host) === null && host.length <= 253 ? host : null;
}

/** Without the brackets of an IPv6 address and the dot that a full name may end with. */
const bareHost = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
