import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';

type Answer = (asked: Http2ServerRequest, reply: Http2ServerResponse) => void;

/** A provider with a certificate for `llm.example` that speaks HTTP/2, and HTTP/1.1 with whoever does not. */
export class TlsProvider {
  /** Paths in the order in which they were asked for. */
  readonly paths: string[] = [];
  /** What each connection speaks. */
  readonly protocols: (string | false | null)[] = [];
  /** Of each connection, whether it went on with an earlier one's TLS session. */
  readonly resumed: boolean[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: Http2SecureServer;

  constructor({ key, cert }: Certificate, answer: Answer) {
    this.server = createSecureServer({ key, cert, allowHTTP1: true }, (asked, reply) => {
      this.paths.push(asked.url);
      answer(asked, reply);
    });
    this.server.on('connection', (socket: Socket) => this.sockets.add(socket));
    this.server.on('secureConnection', (socket: TLSSocket) => {
      this.protocols.push(socket.alpnProtocol);
      this.resumed.push(socket.isSessionReused());
    });
  }

  async listen(host = '127.0.0.1', port = 0): Promise<number> {
    this.server.listen(port, host);
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** A door to a server: whoever comes is let in (TCP), and waits there until it is opened. */
export class Door {
  private readonly waiting = new Set<Socket>();
  private readonly server = createServer((socket) => this.enter(socket));
  private opensTo: number | null = null;

  static async shut(): Promise<Door> {
    const door = new Door();
    door.server.listen(0, '127.0.0.1');
    await once(door.server, 'listening');
    return door;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get comers(): number {
    return this.waiting.size;
  }

  open(port: number): void {
    this.opensTo = port;
    for (const socket of this.waiting) pass(socket, port);
  }

  async close(): Promise<void> {
    for (const socket of this.waiting) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private enter(socket: Socket): void {
    this.waiting.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.waiting.delete(socket));
    if (this.opensTo !== null) pass(socket, this.opensTo);
  }
}

function pass(socket: Socket, port: number): void {
  const inside = connect(port, '127.0.0.1');
  socket.pipe(inside).pipe(socket);
  inside.on('error', () => socket.destroy());
  socket.on('close', () => inside.destroy());
  inside.on('close', () => socket.destroy());
}

export interface Certificate {
  key: string;
  cert: string;
}

/** Lets this process believe a certificate until the returned function is called. */
export function believe({ cert }: Certificate): () => void {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, cert]);
  return () => setDefaultCACertificates(before);
}

/** A certificate (RFC 5280) for this name, signed by its own key, good until 2049. */
export function selfSigned(name: string): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
  const der = (tag: number, ...parts: (Buffer | string)[]): Buffer => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    return Buffer.concat([Buffer.from([tag, ...(body.length < 128 ? [] : [0x82, body.length >> 8]), body.length & 255]), body]);
  };
  const SEQUENCE = 0x30;
  const algorithm = der(SEQUENCE, der(0x06, Buffer.from('2a8648ce3d040302', 'hex'))); // ecdsa-with-SHA256
  const subject = der(SEQUENCE, der(0x31, der(SEQUENCE, der(0x06, Buffer.from('550403', 'hex')), der(0x0c, name)))); // commonName
  const names = der(SEQUENCE, der(0x06, Buffer.from('551d11', 'hex')), der(0x04, der(SEQUENCE, der(0x82, name)))); // subjectAltName
  const content = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    subject,
    der(SEQUENCE, der(0x17, '200101000000Z'), der(0x17, '491231235959Z')),
    subject,
    publicKey,
    der(0xa3, der(SEQUENCE, names)),
  );
  const cert = der(SEQUENCE, content, algorithm, der(0x03, Buffer.from([0]), sign('sha256', content, createPrivateKey(privateKey))));
  return { key: privateKey, cert: `-----BEGIN CERTIFICATE-----\n${cert.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n` };
}
