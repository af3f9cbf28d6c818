import { PUSH_CHANNEL, SNAPSHOT_KEY, type RoutingSnapshot } from '@deja/contracts';
import { defineScript, runScript, type RedisClient } from '@deja/redis';
import { digestOf, type SnapshotContent } from './content.ts';

/** What stands at the beginning of a published snapshot, for the replicas of the router; gateways do not look at it. */
export interface SnapshotHeader {
  version: number;
  /** Digest of the deja.yaml it was made of. */
  file: string;
  /** Revision of what the admin API has given to it. */
  vault: number;
  /** Revision of the health it was made of. */
  revision: number;
}

export interface Publication {
  /** `adopt`: this file is new and replaces whatever is published. `refresh`: only if the published one is of this file. Neither goes back to an earlier revision of the vault with the same file; `replace` does. */
  mode: 'adopt' | 'refresh' | 'replace';
  file: string;
  vault: number;
  revision: number;
  content: SnapshotContent;
}

export type Published =
  | { result: 'published' | 'same'; version: number }
  /** The published one knows of later health: read it again. */
  | { result: 'stale'; version: number }
  /** The published one is of another file, or of a later revision of the vault. */
  | { result: 'foreign'; version: number };

const HEADER = /^\{"version":(\d+),"issuedAtMs":\d+,"file":"([\w-]*)","vault":(-?\d+),"revision":(\d+),/;
/** Longer than any header. */
const HEADER_BYTES = 255;

type Origin = Pick<SnapshotHeader, 'file' | 'vault'>;

const holderKey = ({ file, vault }: Origin): string => `deja:routing:holder:${file}:${vault}`;

/**
 * Writes and pushes a snapshot in one step, so that replicas never overtake one another. The version is the time of Redis in
 * milliseconds, or the last one plus one: it grows also when Redis lost its memory and gateways kept theirs.
 * ARGV: mode, digest of the file, revision of the vault, revision of health, content digest, the snapshot's members as JSON without
 * braces, push channel.
 */
const PUBLISH = defineScript(`
local stored = redis.call('GETRANGE', KEYS[1], 0, ${HEADER_BYTES})
local version, file, vault, revision, content = string.match(stored, '^{"version":(%d+),"issuedAtMs":%d+,"file":"([%w_-]*)","vault":(-?%d+),"revision":(%d+),"content":"([%w_-]*)"')
if version then
  if file == ARGV[2] then
    if vault == ARGV[3] and content == ARGV[5] then return {'same', version} end
    if tonumber(vault) > tonumber(ARGV[3]) and ARGV[1] ~= 'replace' then return {'foreign', version} end
    if tonumber(revision) > tonumber(ARGV[4]) then return {'stale', version} end
  elseif ARGV[1] == 'refresh' then
    return {'foreign', version}
  end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local next = string.format('%.0f', math.max(now, tonumber(version or '0') + 1))
local snapshot = '{"version":' .. next .. ',"issuedAtMs":' .. string.format('%.0f', now) .. ',"file":"' .. ARGV[2] .. '","vault":' .. ARGV[3]
  .. ',"revision":' .. ARGV[4] .. ',"content":"' .. ARGV[5] .. '",' .. ARGV[6] .. '}'
redis.call('SET', KEYS[1], snapshot)
redis.call('PUBLISH', ARGV[7], '{"kind":"snapshot","snapshot":' .. snapshot .. '}')
return {'published', next}
`);

/** The one published snapshot, in Redis. Every method throws when Redis is away. */
export class SnapshotStore {
  constructor(private readonly redis: RedisClient) {}

  async publish(publication: Publication): Promise<Published> {
    const { models, deployments, settings } = publication.content;
    const members = JSON.stringify({ models, deployments, settings }).slice(1, -1);
    const args = [publication.mode, publication.file, publication.vault, publication.revision, digestOf(publication.content), members, PUSH_CHANNEL];
    const reply = await runScript(this.redis, PUBLISH, [SNAPSHOT_KEY], args);
    if (!Array.isArray(reply)) throw new Error('the publishing script gave no answer');
    return { result: reply[0], version: Number(reply[1]) };
  }

  /** null when nothing is published, or nothing that a router wrote. */
  async header(): Promise<SnapshotHeader | null> {
    const match = HEADER.exec(await this.redis.getrange(SNAPSHOT_KEY, 0, HEADER_BYTES));
    return match === null ? null : headerOf(match);
  }

  async load(): Promise<(SnapshotHeader & { snapshot: RoutingSnapshot }) | null> {
    const text = await this.redis.get(SNAPSHOT_KEY);
    const match = HEADER.exec(text ?? '');
    if (text === null || match === null) return null;
    const snapshot: RoutingSnapshot = JSON.parse(text);
    return { ...headerOf(match), snapshot };
  }

  /** Says that a living replica has this configuration, for so long. */
  async hold(origin: Origin, forMs: number): Promise<void> {
    await this.redis.set(holderKey(origin), '1', 'PX', forMs);
  }

  async isHeld(origin: Origin): Promise<boolean> {
    return (await this.redis.exists(holderKey(origin))) === 1;
  }
}

function headerOf(match: RegExpExecArray): SnapshotHeader {
  return { version: Number(match[1]), file: match[2] ?? '', vault: Number(match[3]), revision: Number(match[4]) };
}
