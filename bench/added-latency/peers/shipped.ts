import { peerSchema, type Peer } from './peer.ts';

/** The least that any gateway on Node can do: what it adds is what nobody can leave out. */
const bare = {
  name: 'bare',
  does: 'a pass-through on node:http: a pool of connections to the provider, bodies piped both ways; it reads nothing, keeps nothing and refuses nobody',
  command: ['{node}', '{bench}bare-server.ts'],
  env: { PORT: '{port}', PROVIDER_PORT: '{provider_port}' },
};

/** As it is written first, and often stays. */
const tutorial = {
  name: 'tutorial',
  does: 'Express 5.3.0, axios 1.21.1 and ioredis 6.0.0: JSON read and written, whole answers kept in Redis under a hash of the request; no keys, limits or ledger',
  packages: { dependencies: { express: '5.3.0', axios: '1.21.1', ioredis: '6.0.0' } },
  command: ['{node}', '{bench}tutorial-server.cjs'],
  env: { PORT: '{port}', PROVIDER: '{provider}', REDIS_URL: '{redis}', NODE_PATH: '{packages}/node_modules' },
  cache: 'exact',
};

/** The override: with a later @hono/node-server this version answers streams with 500. */
const portkey = {
  name: 'portkey',
  does: 'Portkey’s open-source gateway, npm @portkey-ai/gateway 1.15.2, as it comes: it finds the provider in headers and passes the request on; no keys, limits, cache or ledger',
  packages: { dependencies: { '@portkey-ai/gateway': '1.15.2' }, overrides: { '@hono/node-server': '1.13.5' } },
  command: ['{node}', '{packages}/node_modules/@portkey-ai/gateway/build/start-server.js', '--headless', '--port={port}'],
  headers: { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': '{provider}' },
};

export const SHIPPED: Peer[] = [bare, tutorial, portkey].map((peer) => peerSchema.parse(peer));
