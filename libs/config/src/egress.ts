import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
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

/**
 * How connections to providers are made: after a look at the address that is really connected to, so that no name can lead where
 * its owner points it later. `checked`: the address came by the admin API and must be public or allowed by this rule; null: it is the
 * file's, and only what is never called is refused. Certificates are verified whatever NODE_TLS_REJECT_UNAUTHORIZED says; a
 * private authority is added by NODE_EXTRA_CA_CERTS.
 */
export function egressConnector(connectMs: number, checked: OutboundRule | null, resolve: Resolve = lookup): buildConnector.connector {
  const connect = buildConnector({ timeout: connectMs, rejectUnauthorized: true, lookup: checkedLookup(checked, resolve) });
  return (target, done) => {
    // An address needs no looking up, so `lookup` is never asked about it.
    if (isIP(target.hostname) !== 0 && isForbiddenIp(target.hostname, checked)) done(new ForbiddenAddress(target.hostname), null);
    else connect(target, done);
  };
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
