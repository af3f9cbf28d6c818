/** Where Redis is: one server, or some nodes by which all of a Redis Cluster are found. */
export interface RedisAddress {
  isCluster: boolean;
  nodes: [RedisNode, ...RedisNode[]];
  username: string | null;
  password: string | null;
  tls: boolean;
}

export interface RedisNode {
  host: string;
  port: number;
}

const SCHEME = /^rediss?(?:\+cluster)?:$/;
/** A comma divides only where the next URL begins: a password may hold one. */
const BETWEEN_URLS = /,\s*(?=rediss?(?:\+cluster)?:\/\/)/;
const DEFAULT_PORT = 6379;

/**
 * Reads a Redis URL. Several, divided by commas, are nodes of a Redis Cluster, as is a single `redis+cluster://` or `rediss+cluster://`.
 * User, password and TLS are those of the first. Throws on anything else; the message does not repeat the text, which may hold a password.
 */
export function redisAddress(text: string): RedisAddress {
  const urls = text.trim().split(BETWEEN_URLS).map(parsed);
  const [first, ...others] = urls;
  if (first === undefined) throw new Error('a Redis URL is empty');
  return {
    isCluster: others.length > 0 || first.protocol.includes('+cluster'),
    nodes: [nodeOf(first), ...others.map(nodeOf)],
    username: first.username === '' ? null : decodeURIComponent(first.username),
    password: first.password === '' ? null : decodeURIComponent(first.password),
    tls: first.protocol.startsWith('rediss'),
  };
}

function parsed(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !SCHEME.test(url.protocol)) throw new Error('a Redis URL must start with redis://, rediss://, redis+cluster:// or rediss+cluster://');
  return url;
}

function nodeOf(url: URL): RedisNode {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '127.0.0.1' : host, port: url.port === '' ? DEFAULT_PORT : Number(url.port) };
}
