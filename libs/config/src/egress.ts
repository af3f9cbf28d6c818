import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { TLSSocket } from 'node:tls';
import { buildConnector } from 'undici';
import { isAllowedHost, isForbiddenIp, type OutboundRule } from './outbound.ts';

/** Resolves a host; `dns.lookup` as far as it is needed here. */
export type Resolve = (host: string, options: { all: true; family?: number | 'IPv4' | 'IPv6'; hints?: number }, done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void;

/** A connection that was not made, because it must not be. */
export class ForbiddenAddress extends Error {
  readonly code = 'FORBIDDEN_ADDRESS';

  constructor(host: string) {
    super(`${host} is, or resolves to, an address that must not be called`);
  }
}

/** So many hosts have their latest TLS session held, with one connector. */
const MOST_SESSIONS = 100;

/**
 * How connections to providers are made: after a look at the address that is really connected to, so that no name can lead where
 * its owner points it later. `checked`: the address came by the admin API and must be public or allowed by this rule; null: it is the
 * file's, and only what is never called is refused. Certificates are verified whatever NODE_TLS_REJECT_UNAUTHORIZED says; a
 * private authority is added by NODE_EXTRA_CA_CERTS. TLS sessions are gone on with; HTTP/2 is not offered (decision 0047).
 */
export function egressConnector(connectMs: number, checked: OutboundRule | null, resolve: Resolve = lookup): buildConnector.connector {
  const connect = buildConnector({ timeout: connectMs, rejectUnauthorized: true, allowH2: false, maxCachedSessions: MOST_SESSIONS, lookup: checkedLookup(checked, resolve) });
  const sessions = new HeldSessions();
  return (target, done) => {
    // An address needs no looking up, so `lookup` is never asked about it.
    if (isIP(target.hostname) !== 0 && isForbiddenIp(target.hostname, checked)) return done(new ForbiddenAddress(target.hostname), null);
    connect(target, (...outcome) => {
      const [error, socket] = outcome;
      if (error === null && socket instanceof TLSSocket) sessions.follow(socket, target.servername ?? target.hostname);
      done(...outcome);
    });
  };
}

/** undici looks up the latest session of a host by itself, but keeps it weakly: unless it is held here, the next collection of garbage has it, and the next connection shakes hands in full. */
class HeldSessions {
  private readonly byHost = new Map<string, Buffer>();

  /** With TLS 1.3 a session comes after the handshake, and again whenever the server wants another one used. */
  follow(socket: TLSSocket, host: string): void {
    socket.on('session', (session: Buffer) => {
      this.byHost.delete(host);
      this.byHost.set(host, session);
      const [oldest] = this.byHost.keys();
      if (this.byHost.size > MOST_SESSIONS && oldest !== undefined) this.byHost.delete(oldest);
    });
  }
}

/** Gives only those addresses of a host that may be called; an error when there is none. A host that is allowed by name may be anywhere but where nobody may be. */
export function checkedLookup(checked: OutboundRule | null, resolve: Resolve = lookup): LookupFunction {
  return (host, options, done) => {
    const rule = checked !== null && isAllowedHost(host, checked) ? null : checked;
    const { family, hints } = options;
    resolve(host, { all: true, ...(family !== undefined && { family }), ...(hints !== undefined && { hints }) }, (error, addresses) => {
      if (error) return done(error, []);
      const good = addresses.filter(({ address }) => !isForbiddenIp(address, rule));
      const [first] = good;
      if (first === undefined) return done(new ForbiddenAddress(host), []);
      return options.all === true ? done(null, good) : done(null, first.address, first.family);
    });
  };
}
