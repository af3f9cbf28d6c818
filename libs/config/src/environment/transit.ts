import { Secret } from '../secret.ts';
import { ConfigError } from './config-error.ts';
import type { Variables } from './secret-files.ts';
import { key, text, url } from './variables.ts';

/** A HashiCorp Vault, or what speaks its HTTP API, whose transit engine wraps data keys. */
export interface TransitSettings {
  /** Without a slash at the end. */
  address: string;
  /** A file is read at each use: an agent may renew what stands in it. */
  token: Secret | { file: string };
  /** null: none, as in the edition without namespaces. */
  namespace: string | null;
  /** Where the engine is mounted, without slashes at the ends. */
  mount: string;
  /** Name of the key that wraps; null: the engine only unwraps what it wrapped before. */
  key: string | null;
}

const TRANSIT_KEY = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const TRANSIT_MOUNT = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;

/** DEJA_TRANSIT_KEY asks for it, and then all it needs must be there. Without it a VAULT_ADDR with a token is for unwrapping, and anything less is someone else's. */
export function transit(variables: Variables): TransitSettings | null {
  const name = text(variables, 'DEJA_TRANSIT_KEY');
  const mount = text(variables, 'DEJA_TRANSIT_MOUNT')?.replace(/^\/+|\/+$/g, '') ?? 'transit';
  const given = text(variables, 'VAULT_TOKEN');
  const file = text(variables, 'VAULT_TOKEN_FILE');
  if (name === null && (text(variables, 'VAULT_ADDR') === null || (given === null && file === null))) return null;
  if (name !== null && !TRANSIT_KEY.test(name)) throw new ConfigError('DEJA_TRANSIT_KEY must be the name of a transit key: letters, digits, ".", "_" and "-".');
  if (!TRANSIT_MOUNT.test(mount)) throw new ConfigError('DEJA_TRANSIT_MOUNT must be the path of a transit engine, such as transit.');
  const address = url(variables, 'VAULT_ADDR', ['https:', 'http:']);
  if (address === null) throw new ConfigError('VAULT_ADDR is missing: DEJA_TRANSIT_KEY needs the address of the Vault that has the key, such as https://vault.example.com:8200.');
  const { username, password, search, hash } = new URL(address);
  if (username + password + search + hash !== '') throw new ConfigError('VAULT_ADDR must be an address alone, without a user, a password, ? or #: the token belongs in VAULT_TOKEN or VAULT_TOKEN_FILE.');
  const token = key(variables, 'VAULT_TOKEN', 'because it is sent');
  if (token === null && file === null) throw new ConfigError('VAULT_TOKEN is missing: DEJA_TRANSIT_KEY needs a token in it, or in a file that VAULT_TOKEN_FILE names.');
  return {
    address: address.replace(/\/+$/, ''),
    token: token === null ? { file: file ?? '' } : new Secret(token),
    namespace: key(variables, 'VAULT_NAMESPACE', 'because it is sent'),
    mount,
    key: name,
  };
}
