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
/** Names of the fields that were treated. */
let treated: string[];

/** Answers with what `handle` did to the form, and the number of the connection it came over. */
beforeAll(async () => {
  let connections = 0;
  const numbers = new WeakMap<object, number>();
  server = createServer((incoming, response) => {
    const form = new Form(incoming.headers['content-type'], incoming, { texts: ['prompt'], treat: (value, name) => (treated.push(name), value.replace('secret', 'gone')), judge: () => Promise.resolve() });
    void handle(form).then(() => response.end(String(numbers.get(incoming.socket))));
  });
  server.on('connection', (socket) => numbers.set(socket, ++connections));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => (treated = []));
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

test('every field that is no setting is treated, wherever it stands; a text may not come as a file', async () => {
  let sent = '';
  handle = async (form) => {
    try {
      await form.readAhead('model');
      for await (const chunk of form.body((model) => model) ?? []) sent += Buffer.from(chunk).toString();
    } catch (error) {
      sent = (error as Error).message;
    }
  };
  const send = async (middle: string): Promise<void> => {
    sent = '';
    const sending = upload();
    sending.end(`${field('model', 'secret')}${field('language', 'secret')}${middle}${field('x_hotwords', 'a secret')}--${BOUNDARY}--\r\n`);
    await answerTo(sending);
  };
  await send(field('prompt', 'the secret'));
  expect(treated).toEqual(['prompt', 'x_hotwords']);
  expect(sent.match(/secret|gone/g)).toEqual(['secret', 'secret', 'gone', 'gone']);
  await send(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"; filename="p"\r\n\r\nthe secret\r\n`);
  expect(sent).toMatch("'prompt' is a file");
});
