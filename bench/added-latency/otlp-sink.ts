// Where spans go: takes every OTLP request over HTTP and says that it is kept.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((incoming, response) => void incoming.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}')));
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
