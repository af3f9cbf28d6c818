// The pass-through: nothing but node:http on both sides.
import { Agent, createServer, request } from 'node:http';

const { PORT, PROVIDER_PORT } = process.env;
const agent = new Agent({ keepAlive: true });

const server = createServer((incoming, response) => {
  const { method, url, headers } = incoming;
  const outgoing = request({ host: '127.0.0.1', port: Number(PROVIDER_PORT), method, path: url, headers, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  incoming.pipe(outgoing);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(PORT), '127.0.0.1');
