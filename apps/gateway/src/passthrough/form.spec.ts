import { once } from 'node:events';
import { Agent, createServer, request, type ClientRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { BodyMemory } from '../pipeline/body-memory.ts';
import { Form } from './form.ts';

const BOUNDARY = 'XbX';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;
const field = (name: string, value: string): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const MIB = 1024 * 1024;
const FILE = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n`;

let server: Server;
let agent: Agent;
let handle: (form: Form) => Promise<void>;
let memory: BodyMemory;
/** Names of the fields that were treated. */
let treated: string[];

/** Answers with what `handle` did to the form, and the number of the connection it came over. */
beforeAll(async () => {
  let connections = 0;
  const numbers = new WeakMap<object, number>();
  server = createServer((incoming, response) => {
    const form = new Form(incoming.headers['content-type'], incoming, { texts: ['prompt'], treat: (value, name) => (treated.push(name), value.replace('secret', 'gone')), judge: () => Promise.resolve(), share: memory.share() });
    void handle(form).then(() => response.end(String(numbers.get(incoming.socket))));
  });
  server.on('connection', (socket) => numbers.set(socket, ++connections));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  treated = [];
  memory = new BodyMemory(3 * MIB);
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

test('what is held of a form counts among all bodies, until it was sent on; a file that streams by does not; when it is over nothing is held', async () => {
  const held: number[] = [];
  handle = async (form) => {
    await form.readAhead('model');
    held.push(memory.heldBytes);
    for await (const chunk of form.body(null) ?? []) if (chunk.length > 0) held.push(memory.heldBytes);
    form.close();
    held.push(memory.heldBytes);
  };
  const sent = upload();
  const before = `${field('language', 'x'.repeat(300_000))}${field('model', 'm')}`;
  sent.write(before);
  sent.end(`${FILE}${'y'.repeat(8 * 1024 * 1024)}\r\n--${BOUNDARY}--\r\n`);
  await answerTo(sent);
  const fields = 4 * 300_001;
  expect(held[0]).toBeGreaterThanOrEqual(before.length + fields);
  expect(held[0]).toBeLessThan(before.length + fields + 256 * 1024);
  expect(held.slice(-2)).toEqual([fields, 0]);
});

test('a form for which there is no room is refused with a 503 that says when to come back, and the next one that fits is read', async () => {
  const outcomes: unknown[] = [];
  handle = async (form) => {
    outcomes.push(await form.readAhead('model').catch((error: unknown) => error));
    form.close();
  };
  for (const length of [1_000_000, 1000]) {
    const sent = upload();
    sent.end(`${field('prompt', 'x'.repeat(length))}${field('model', 'm')}--${BOUNDARY}--\r\n`);
    memory.take(length === 1000 ? 0 : MIB);
    await answerTo(sent);
  }
  expect(outcomes).toEqual([expect.objectContaining({ code: 'overloaded', retryAfterMs: expect.any(Number) }), 'm']);
  expect(memory.heldBytes).toBe(MIB);
});
