import { once } from 'node:events';
import { Agent, createServer, request, type ClientRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Form } from './form.ts';

const BOUNDARY = 'XbX';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;
const field = (name: string, value: string): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const FILE = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n`;

let server: Server;
let agent: Agent;
let handle: (form: Form) => Promise<void>;

/** Answers with what `handle` did to the form, and the number of the connection it came over. */
beforeAll(async () => {
  let connections = 0;
  const numbers = new WeakMap<object, number>();
  server = createServer((incoming, response) => {
    const form = new Form(incoming.headers['content-type'], incoming, { texts: [], treat: (value) => value, judge: () => Promise.resolve() });
    void handle(form).then(() => response.end(String(numbers.get(incoming.socket))));
  });
  server.on('connection', (socket) => numbers.set(socket, ++connections));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => (agent = new Agent({ keepAlive: true, maxSockets: 1 })));
afterEach(() => agent.destroy());
afterAll(async () => {
  server.close();
  await once(server, 'close');
});

const upload = (): ClientRequest => request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', method: 'POST', agent, headers: { 'content-type': TYPE } });

async function answerTo(sent: ClientRequest): Promise<string> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return text(response);
}

test('a connection whose upload was refused is good for the next request', async () => {
  handle = async (form) => {
    await form.readAhead('model');
    form.close();
  };
  const answers: string[] = [];
  for (let i = 0; i < 2; i++) {
    const sent = upload();
    sent.end(`${FILE}${'x'.repeat(4 * 1024 * 1024)}\r\n${field('model', 'late')}--${BOUNDARY}--\r\n`);
    answers.push(await answerTo(sent));
  }
  expect(new Set(answers).size).toBe(1);
});

test('a client that stalls in its upload is answered all the same', async () => {
  const sent = upload();
  handle = async (form) => {
    await form.readAhead('model');
    const body = form.body(null)?.[Symbol.asyncIterator]();
    const pending = body?.next().then(() => body.next());
    form.close();
    pending?.catch(() => undefined); // nobody waits for the rest
  };
  sent.write(`${field('model', 'm')}${FILE}xxxx`);
  expect(await answerTo(sent)).toMatch(/^\d+$/);
  sent.destroy();
});
