import { ConfigError } from './config-error.ts';
import type { Variables } from './secret-files.ts';
import { subject, text } from './variables.ts';

/** A comma divides only where the next URL begins: a password may hold one. */
export const BETWEEN_REDIS_URLS = /,\s*(?=rediss?(?:\+cluster)?:\/\/)/;

/** One Redis, or a Redis Cluster by some of its nodes. */
export function redisUrl(variables: Variables, name: string): string | null {
  const value = text(variables, name);
  if (value === null) return null;
  const parts = value.split(BETWEEN_REDIS_URLS);
  const urls = parts.map((part) => URL.parse(part));
  // The value is not repeated: it may hold a password.
  if (!urls.every((one) => one !== null && /^rediss?(\+cluster)?:$/.test(one.protocol) && one.host !== '')) {
    throw new ConfigError(`${subject(variables, name)} must be a URL that starts with redis:// or rediss://, or several of them with commas between them, which are nodes of a Redis Cluster.`);
  }
  const [first, ...others] = urls.filter((one) => one !== null);
  if (first === undefined || (others.length === 0 && !first.protocol.includes('+'))) return value;
  if (urls.some((one) => one !== null && !/^\/?0?$/.test(one.pathname))) {
    throw new ConfigError(`${subject(variables, name)} names a Redis Cluster, which has no databases by number: leave out what follows the port.`);
  }
  const asFirst = (one: URL): boolean => one.protocol.startsWith('rediss') === first.protocol.startsWith('rediss') && (one.password === '' || (one.username === first.username && one.password === first.password));
  if (!others.every(asFirst)) {
    throw new ConfigError(`${subject(variables, name)} names a Redis Cluster, whose nodes have one user, one password, and all TLS or none: give them in the first URL.`);
  }
  return parts.join(',');
}
