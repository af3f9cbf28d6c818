import { readFile } from 'node:fs/promises';
import type { Environment } from '@deja/config';
import { Agent } from 'undici';
import { z } from 'zod';
import { DATA_KEY_BYTES, KeyWrappingError, type KeyWrapping, type WrappedKey } from './wrapped-key.ts';

type TransitSettings = NonNullable<Environment['transit']>;

const TIMEOUT_MS = 3000;
/** A new snapshot has many gateways ask for many leases at once. */
const MOST_CONNECTIONS = 16;
const LARGEST_REPLY_BYTES = 64 * 1024;
/** `transit:<mount>/<key>:v<version>`; a mount may have several segments. */
const KEY_ID = /^transit:((?:\w[\w.-]*\/)+)(\w[\w.-]*):v([1-9]\d{0,8})$/;
const CIPHERTEXT = /^vault:v([1-9]\d{0,8}):[A-Za-z0-9+/]+=*$/;
const ENCRYPTED = z.object({ data: z.object({ ciphertext: z.string().regex(CIPHERTEXT) }) });
const DECRYPTED = z.object({ data: z.object({ plaintext: z.base64() }) });

/**
 * Master keys that never leave a HashiCorp Vault, or what speaks its HTTP API ("Transit secrets engine (API)": encrypt data, decrypt
 * data). The token needs `update` on <mount>/encrypt/<key> and <mount>/decrypt/<key>, nothing else. What the server answers besides
 * its status is in no error: it might repeat what it was sent.
 */
export class TransitKeys implements KeyWrapping {
  readonly #settings: TransitSettings;
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  constructor(settings: TransitSettings, timeoutMs = TIMEOUT_MS) {
    this.#settings = settings;
    this.#timeoutMs = timeoutMs;
    this.#agent = new Agent({ connections: MOST_CONNECTIONS, connect: { timeout: timeoutMs }, allowH2: false, maxResponseSize: LARGEST_REPLY_BYTES });
  }

  /** Any key of any engine there: the names may have changed since something was wrapped. */
  holds(keyId: string): boolean {
    return KEY_ID.test(keyId);
  }

  async wrap(dataKey: Buffer): Promise<WrappedKey> {
    const { mount, key } = this.#settings;
    const name = `transit:${mount}/${key}`;
    if (key === null) throw new KeyWrappingError('missing', name, 'DEJA_TRANSIT_KEY names no key to wrap with');
    const reply = await this.#ask(`${mount}/encrypt/${key}`, { plaintext: dataKey.toString('base64') }, name);
    const ciphertext = ENCRYPTED.safeParse(reply).data?.data.ciphertext;
    if (ciphertext === undefined) throw notVault(name);
    return { keyId: `${name}:v${CIPHERTEXT.exec(ciphertext)?.[1]}`, wrapped: Buffer.from(ciphertext) };
  }

  async unwrap({ keyId, wrapped }: WrappedKey): Promise<Buffer> {
    const [, mount, key, version] = KEY_ID.exec(keyId) ?? [];
    if (mount === undefined) throw new KeyWrappingError('missing', keyId, 'it is no key of a transit engine');
    const ciphertext = wrapped.toString();
    if (CIPHERTEXT.exec(ciphertext)?.[1] !== version) throw new KeyWrappingError('refused', keyId, 'what it is to open has not the form of a wrapped key');
    const reply = DECRYPTED.safeParse(await this.#ask(`${mount}decrypt/${key}`, { ciphertext }, keyId));
    if (!reply.success) throw notVault(keyId);
    const dataKey = Buffer.from(reply.data.data.plaintext, 'base64');
    if (dataKey.length !== DATA_KEY_BYTES) throw new KeyWrappingError('refused', keyId, 'what it opens is no data key');
    return dataKey;
  }

  /** Lets go of idle connections. */
  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #ask(path: string, body: object, keyId: string): Promise<unknown> {
    const token = await this.#token(keyId);
    const { status, text } = await this.#post(path, JSON.stringify(body), token).catch((error: unknown) => {
      throw new KeyWrappingError('unreachable', keyId, `${this.#settings.address} does not answer (${reasonOf(error)})`);
    });
    if (status !== 200) throw new KeyWrappingError(isPassing(status) ? 'unreachable' : 'refused', keyId, `${this.#settings.address} answers ${status}${hintOf(status)}`);
    try {
      return JSON.parse(text);
    } catch {
      throw notVault(keyId);
    }
  }

  /** Does not follow redirects: the token is for this address alone. */
  async #post(path: string, body: string, token: string): Promise<{ status: number; text: string }> {
    const { address, namespace } = this.#settings;
    const url = new URL(`${address}/v1/${path}`);
    const { statusCode, body: reply } = await this.#agent.request({
      origin: url.origin,
      path: url.pathname,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-vault-request': 'true', 'x-vault-token': token, ...(namespace === null ? {} : { 'x-vault-namespace': namespace }) },
      body,
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    return { status: statusCode, text: await reply.text() };
  }

  async #token(keyId: string): Promise<string> {
    const { token } = this.#settings;
    if (!('file' in token)) return token.reveal();
    const text = await readFile(token.file, 'utf8').catch((error: unknown) => {
      throw new KeyWrappingError('unreachable', keyId, `the file ${token.file} that VAULT_TOKEN_FILE names cannot be read (${reasonOf(error)})`);
    });
    const value = text.trim();
    if (!/^[\x21-\x7e]+$/.test(value)) throw new KeyWrappingError('unreachable', keyId, `the file ${token.file} that VAULT_TOKEN_FILE names holds no token`);
    return value;
  }
}

const notVault = (keyId: string): KeyWrappingError => new KeyWrappingError('unreachable', keyId, 'what VAULT_ADDR names does not answer as a transit engine does');

/** Standby, sealed, rate-limited, or broken: it may be better later. */
const isPassing = (status: number): boolean => status === 412 || status === 429 || status === 472 || status === 473 || status >= 500;

function hintOf(status: number): string {
  if (status === 400) return ': it has no such key, or another than the one that was wrapped with';
  if (status === 403) return ': the token does not hold, or may not use this key';
  if (status === 404) return ': no transit engine is mounted there';
  if (status === 503) return ': it is sealed or under maintenance';
  return status >= 300 && status < 400 ? ': redirects are not followed, name the address it leads to' : '';
}

/** The code of a network error, or the kind of any other: messages may repeat what was sent. */
function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown reason';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'name' in error && typeof error.name === 'string' ? error.name : 'unknown reason';
}
