import { join, resolve } from 'node:path';
import { z } from 'zod';
import { CliFailure, EXIT } from './failure.ts';
import type { World } from './world.ts';

/** Where the admin API is, and what opens it. */
export interface Connection {
  /** Without `/admin/v1`, and without a slash at the end. */
  baseUrl: string;
  adminKey: string;
  /** Where the key was found, for messages. */
  keyFrom: string;
}

/** What was said on the command line. */
export interface ConnectionOptions {
  url?: string | undefined;
  adminKeyFile?: string | undefined;
}

type Surroundings = Pick<World, 'env' | 'root' | 'readText'>;

/** `admin_url` null: that cluster has no admin API; a launcher of before it was written down has it beside the client API. */
const readyFile = z.object({ base_url: z.string(), admin_url: z.string().nullable().optional(), admin_key_file: z.string() });

/**
 * From the command line, else the environment (`DEJA_URL`, `DEJA_ADMIN_KEY`), else the cluster that `npm start` runs here. That cluster's own key is sent
 * to that cluster only, to the address of its clients or of its admin API. Throws a CliFailure.
 */
export async function findConnection(options: ConnectionOptions, world: Surroundings): Promise<Connection> {
  const address = options.url ?? given(world.env, 'DEJA_URL');
  const key = await givenKey(options.adminKeyFile, world);
  if (address !== null && key !== null) return { baseUrl: baseUrlFrom(address), ...key };
  const cluster = await runningCluster(world);
  const baseUrl = address === null ? adminAddress(cluster, world) : baseUrlFrom(address);
  if (key !== null) return { baseUrl, ...key };
  if (cluster === null || ![cluster.base_url, cluster.admin_url].includes(baseUrl)) throw new CliFailure(EXIT.usage, `There is no admin key for ${baseUrl}: set DEJA_ADMIN_KEY, or name a file with --admin-key-file.`);
  return { baseUrl, adminKey: await keyIn(cluster.admin_key_file, world), keyFrom: cluster.admin_key_file };
}

function adminAddress(cluster: z.output<typeof readyFile> | null, world: Surroundings): string {
  if (cluster === null) {
    throw new CliFailure(EXIT.unreachable, `No cluster runs here: there is no ${readyPath(world)}.`, ['Start one with npm start, or say where one is with --url or DEJA_URL.']);
  }
  const { base_url: baseUrl, admin_url: adminUrl = baseUrl } = cluster;
  if (adminUrl === null) throw new CliFailure(EXIT.unreachable, 'The cluster that runs here was started without an admin API (DEJA_ADMIN=off).', ['Say where another one is with --url or DEJA_URL.']);
  return adminUrl;
}

async function givenKey(file: string | undefined, world: Surroundings): Promise<Pick<Connection, 'adminKey' | 'keyFrom'> | null> {
  if (file !== undefined) return { adminKey: await keyIn(file, world), keyFrom: file };
  const adminKey = given(world.env, 'DEJA_ADMIN_KEY');
  return adminKey === null ? null : { adminKey: headerSafe(adminKey, 'DEJA_ADMIN_KEY'), keyFrom: 'DEJA_ADMIN_KEY' };
}

async function keyIn(file: string, world: Surroundings): Promise<string> {
  const text = await world.readText(file).catch((error: unknown) => {
    throw new CliFailure(EXIT.usage, `The admin key's file ${file} cannot be read (${codeOf(error)}).`);
  });
  return headerSafe(text.trim(), file);
}

/** The message does not quote it: what is no key may be another secret. */
function headerSafe(key: string, from: string): string {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new CliFailure(EXIT.usage, `What ${from} holds is no admin key: one is of printable ASCII without blanks.`);
  return key;
}

/** null: none runs, or none was started here. */
async function runningCluster(world: Surroundings): Promise<z.output<typeof readyFile> | null> {
  try {
    return readyFile.parse(JSON.parse(await world.readText(readyPath(world))));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    const hint = 'Say where the cluster is with --url or DEJA_URL, and set DEJA_ADMIN_KEY.';
    throw new CliFailure(EXIT.unreachable, `What runs here cannot be told: ${readyPath(world)} cannot be read (${codeOf(error)}).`, [hint]);
  }
}

const readyPath = ({ env, root }: Surroundings): string => join(resolve(root, given(env, 'DEJA_DATA_DIR') ?? '.deja'), 'run', 'ready.json');

/** Also takes the address that clients and docs write: with `/v1` or `/admin/v1` at its end. */
function baseUrlFrom(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new CliFailure(EXIT.usage, `${JSON.stringify(address)} is no address of a cluster: write for example http://127.0.0.1:3000.`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/(?:\/admin)?\/v1$/, '')}`;
}

function given(env: NodeJS.ProcessEnv, name: string): string | null {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : 'it is not what npm start writes');
