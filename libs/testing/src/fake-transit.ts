import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface TransitKey {
  /** Version 1 first. */
  versions: Buffer[];
  minDecryptionVersion: number;
}

type Reply = { status: number; data: object } | { status: number; errors: string[] };

/** What the server does in place of answering as it should. */
export type TransitMood = 'well' | 'sealed' | 'hanging' | 'redirecting' | 'babbling';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The transit engine of a HashiCorp Vault, as its "Transit secrets engine (API)" page has it: encrypt, decrypt, rewrap, rotate, read and configure keys, with a token, over HTTP. */
export class FakeTransit {
  readonly mount: string;
  readonly namespace: string | null;
  mood: TransitMood = 'well';
  /** Is sealed once it has answered so many more requests. */
  sealedAfter = Infinity;
  /** Paths of the requests so far, `encrypt/deja`. */
  readonly requests: string[] = [];
  /** Texts of everything that was received, headers too. */
  readonly received: string[] = [];
  #token: string;
  readonly #keys = new Map<string, TransitKey>();
  readonly #server: Server;

  private constructor(o: { mount: string; namespace: string | null; token: string; keys: string[] }) {
    this.mount = o.mount;
    this.namespace = o.namespace;
    this.#token = o.token;
    for (const name of o.keys) this.create(name);
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(o: { mount?: string; namespace?: string; token?: string; keys?: string[] } = {}): Promise<FakeTransit> {
    const fake = new FakeTransit({ mount: o.mount ?? 'transit', namespace: o.namespace ?? null, token: o.token ?? 'hvs.fake-token', keys: o.keys ?? ['deja'] });
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get token(): string {
    return this.#token;
  }

  /** Only this token is good from now on. */
  set token(token: string) {
    this.#token = token;
  }

  /** A new key, also in the place of one of that name. */
  create(name: string): void {
    this.#keys.set(name, { versions: [randomBytes(32)], minDecryptionVersion: 1 });
  }

  rotate(name: string): void {
    this.#key(name).versions.push(randomBytes(32));
  }

  setMinDecryptionVersion(name: string, version: number): void {
    this.#key(name).minDecryptionVersion = version;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #key(name: string): TransitKey {
    const key = this.#keys.get(name);
    if (key === undefined) throw new Error(`the fake transit engine has no key ${name}`);
    return key;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const path = new URL(request.url ?? '/', 'http://vault').pathname;
    this.requests.push(path.slice(`/v1/${this.mount}/`.length));
    this.received.push(`${path}\n${JSON.stringify(request.headers)}\n${text}`);
    if (this.sealedAfter-- <= 0) this.mood = 'sealed';
    if (this.mood === 'hanging') return;
    if (this.mood === 'redirecting') return void response.writeHead(307, { location: `${this.address}${path}` }).end();
    // A broken server, or no Vault at all: it repeats what it was sent.
    if (this.mood === 'babbling') return void response.writeHead(200).end(this.received.at(-1));
    const { status, ...body } = this.#reply(request, path, text);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify('data' in body ? { request_id: 'fake', ...body } : body));
  }

  #reply(request: IncomingMessage, path: string, text: string): Reply {
    if (this.mood === 'sealed') return { status: 503, errors: ['Vault is sealed'] };
    const namespace = request.headers['x-vault-namespace'];
    if (request.headers['x-vault-token'] !== this.#token || (namespace ?? null) !== this.namespace) return { status: 403, errors: ['permission denied'] };
    if (!path.startsWith(`/v1/${this.mount}/`)) return { status: 404, errors: [`no handler for route "${path.slice('/v1/'.length)}". route entry not found.`] };
    const [operation = '', name = '', more = ''] = path.slice(`/v1/${this.mount}/`.length).split('/');
    const key = this.#keys.get(name);
    const body = bodyOf(text);
    if (body === null) return { status: 400, errors: ['error parsing JSON'] };
    if (operation === 'keys' && request.method === 'GET') return key === undefined ? { status: 404, errors: [] } : { status: 200, data: described(name, key) };
    if (request.method !== 'POST' && request.method !== 'PUT') return { status: 405, errors: ['unsupported operation'] };
    // To encrypt with a key that is not there would create it, which this token's policy does not allow.
    if (key === undefined) return operation === 'encrypt' ? { status: 403, errors: ['permission denied'] } : { status: 400, errors: ['encryption key not found'] };
    switch (`${operation}/${more}`) {
      case 'encrypt/': return encrypt(key, body['plaintext']);
      case 'decrypt/': return decrypt(key, body['ciphertext']);
      case 'rewrap/': return rewrap(key, body['ciphertext']);
      case 'keys/rotate': return this.rotate(name), { status: 200, data: described(name, key) };
      case 'keys/config': return this.setMinDecryptionVersion(name, Number(body['min_decryption_version'] ?? key.minDecryptionVersion)), { status: 200, data: described(name, key) };
      default: return { status: 404, errors: [] };
    }
  }
}

function bodyOf(text: string): Record<string, unknown> | null {
  if (text === '') return {};
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const described = (name: string, { versions, minDecryptionVersion }: TransitKey): object => ({ name, type: 'aes256-gcm96', latest_version: versions.length, min_decryption_version: minDecryptionVersion });

function encrypt({ versions }: TransitKey, plaintext: unknown): Reply {
  if (typeof plaintext !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(plaintext)) return { status: 400, errors: ['failed to base64-decode plaintext'] };
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1) as Buffer, nonce);
  const sealed = Buffer.concat([nonce, cipher.update(plaintext, 'base64'), cipher.final(), cipher.getAuthTag()]);
  return { status: 200, data: { ciphertext: `vault:v${versions.length}:${sealed.toString('base64')}`, key_version: versions.length } };
}

function decrypt({ versions, minDecryptionVersion }: TransitKey, ciphertext: unknown): Reply {
  const [, version, text] = /^vault:v([1-9]\d*):(.+)$/.exec(String(ciphertext)) ?? [];
  if (version === undefined || text === undefined) return { status: 400, errors: ['invalid ciphertext: no prefix'] };
  if (Number(version) < minDecryptionVersion) return { status: 400, errors: ['ciphertext or signature version is disallowed by policy (too old)'] };
  const key = versions[Number(version) - 1];
  if (key === undefined) return { status: 400, errors: ['invalid ciphertext: version is too new'] };
  const sealed = Buffer.from(text, 'base64');
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return { status: 400, errors: ['invalid ciphertext: could not decode'] };
  const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES)).setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return { status: 200, data: { plaintext: Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), cipher.final()]).toString('base64') } };
  } catch {
    return { status: 400, errors: ['cipher: message authentication failed'] };
  }
}

function rewrap(key: TransitKey, ciphertext: unknown): Reply {
  const opened = decrypt(key, ciphertext);
  return 'data' in opened ? encrypt(key, (opened.data as { plaintext: string }).plaintext) : opened;
}
