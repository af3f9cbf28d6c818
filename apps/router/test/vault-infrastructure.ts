import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { addressProblem, outboundRule, parseConfig, readEnvironment, type DejaConfig } from '@deja/config';
import type { AdminChange, CredentialView, JsonWebKeyPublic, NewCredential } from '@deja/contracts';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { TcpPath, testDatabase } from '@deja/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { CompactEncrypt, compactDecrypt, exportJWK, generateKeyPair, importJWK } from 'jose';
import { Changes } from '../src/admin/changes.ts';
import type { Database } from '../src/schema/transaction.ts';
import { bootstrap } from '../src/tenants/bootstrap.ts';
import { CredentialVault, type VaultOptions } from '../src/vault/credential-vault.ts';
import { keyWrappingOf } from '../src/vault/key-wrapping.ts';
import { MasterKeys } from '../src/vault/master-keys.ts';
import { MasterKeysRepository } from '../src/vault/master-keys.repository.ts';
import { StoredCredentialsRepository } from '../src/vault/stored-credentials.repository.ts';
import { recorder } from './infrastructure.ts';

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));

const NOW = Date.UTC(2030, 0, 1);

export const newMasterKey = (): string => randomBytes(32).toString('base64');

const YAML = `providers:
  p: { kind: openai, credentials: [{ name: file, value: sk-planted-of-the-file-0001 }] }
  q: { kind: anthropic, credentials: [{ name: short, value: sk-planted }] }
  azure: { kind: azure-openai, credentials: [{ name: west, value: sk-planted, base_url: "https://west.openai.azure.com" }] }
models: [{ name: m, deployments: [{ provider: p, model: m }] }]
`;

/** By the root key, on no condition. */
export const CHANGE: AdminChange = { by: { id: 'root', name: 'root', role: 'owner', tenant: null, from: '192.0.2.1', requestId: 'req-1' }, ifMatch: null, idempotency: null };

export function configOf(yaml = YAML): DejaConfig {
  const parsed = parseConfig(yaml, { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.config;
}

/** A cluster's database, by a way that can be cut, and vaults on it. */
export class VaultBench {
  readonly path: TcpPath;
  readonly pool: Pool;
  readonly db: Database;
  /** What was logged. */
  readonly lines: Record<string, unknown>[];
  readonly #options: Omit<VaultOptions, 'keys'>;
  readonly #drop: () => Promise<void>;
  now = NOW;

  private constructor(path: TcpPath, pool: Pool, salt: Buffer, drop: () => Promise<void>) {
    const { logger, lines } = recorder();
    this.path = path;
    this.pool = pool;
    this.db = drizzle(pool);
    this.lines = lines;
    this.#drop = drop;
    this.#options = {
      salt,
      changes: new Changes({ db: this.db, salt, logger }),
      repository: new StoredCredentialsRepository(this.db),
      masterKeysRepository: new MasterKeysRepository(this.db),
      checkAddress: (baseUrl) => addressProblem(baseUrl, outboundRule([]).rule),
      logger,
      now: () => this.now,
    };
  }

  static async open(): Promise<VaultBench> {
    const database = await testDatabase();
    const { logger } = recorder();
    const path = await TcpPath.to(database.url);
    const pool = openPool(path.url, { name: 'test', logger });
    await migrate(pool, { folder: MIGRATIONS, schema: 'router', logger });
    const { salt } = await bootstrap(drizzle(pool), null);
    return new VaultBench(path, pool, salt, () => database.drop());
  }

  /** Back to an empty vault. */
  async reset(): Promise<void> {
    this.path.set('open');
    this.now = NOW;
    this.lines.length = 0;
    await this.pool.query('truncate router.credentials, router.credential_values, router.intake_key, router.master_keys, router.deployment_drains, router.data_keys, router.alert_rules');
  }

  /** A replica's vault that is not verified yet. @param variables of the environment: the master keys */
  vault(variables: NodeJS.ProcessEnv): CredentialVault {
    const vault = new CredentialVault({ ...this.#options, keys: this.masterKeys(variables) });
    vault.hold(configOf());
    return vault;
  }

  masterKeys(variables: NodeJS.ProcessEnv): MasterKeys {
    return new MasterKeys(keyWrappingOf(readEnvironment(variables)), this.#options.masterKeysRepository);
  }

  async started(variables: NodeJS.ProcessEnv): Promise<CredentialVault> {
    const vault = this.vault(variables);
    await vault.verifyMasterKeys();
    await vault.load();
    return vault;
  }

  /** Every row of every table of the schema, as Postgres would write it into a dump: bytes in hex. */
  async dump(): Promise<string> {
    const { rows: tables } = await this.pool.query<{ name: string }>('select table_name as name from information_schema.tables where table_schema = \'router\' order by 1');
    const dumps = await Promise.all(tables.map(async ({ name }) => `${name}: ${JSON.stringify((await this.pool.query(`select t::text from router.${name} t order by 1`)).rows)}`));
    return dumps.join('\n');
  }

  async close(): Promise<void> {
    await this.path.close();
    await this.pool.end();
    await this.#drop();
  }
}

/** A value as a gateway has it travel to the vault. */
export async function sealed(vault: CredentialVault, value: string): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(value)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(await importJWK({ ...vault.intakePublicKey }, 'ECDH-ES'));
}

export async function newCredential(vault: CredentialVault, name: string, value: string, over: Partial<NewCredential> = {}): Promise<NewCredential> {
  return { provider: 'p', name, sealedValue: await sealed(vault, value), tenant: null, baseUrl: null, weight: 1, limits: {}, ...over };
}

/** The values that a gateway gets for what the vault's snapshot names, by `id` and, for former values, `id (retiring)`. */
export async function leased(vault: CredentialVault, refs: { id: string; version: string; retiring?: boolean }[] = vault.refsFor('p')): Promise<Record<string, string>> {
  const pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  const leases = await vault.lease(refs, (await exportJWK(pair.publicKey)) as JsonWebKeyPublic);
  const opened = await Promise.all(leases.map(async ({ id, version, jwe }): Promise<[string, string]> => {
    const isRetiring = refs.some((ref) => ref.id === id && ref.version === version && ref.retiring === true);
    return [`${id}${isRetiring ? ' (retiring)' : ''}`, new TextDecoder().decode((await compactDecrypt(jwe, pair.privateKey)).plaintext)];
  }));
  return Object.fromEntries(opened.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** How a text may stand in a dump, whatever stands before it: in clear, in hex, in base64. */
export function formsOf(text: string): string[] {
  const base64 = [0, 1, 2].flatMap((before) => (['base64', 'base64url'] as const).map((form) => Buffer.concat([Buffer.alloc(before), Buffer.from(text)]).toString(form).slice(Math.ceil((before * 4) / 3), -4)));
  return [text, Buffer.from(text).toString('hex'), ...base64];
}

/** A credential as it is once made. */
export async function created(vault: CredentialVault, credential: NewCredential, change: AdminChange): Promise<CredentialView> {
  return (await vault.create(credential, change)).credential;
}
