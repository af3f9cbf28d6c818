import { defineScript } from '@deja/redis';

/** Which state the invalidations are in, and what time it is for them: version or false, seconds, microseconds. KEYS: invalidations. */
export const LOOK = defineScript(`
local now = redis.call('TIME')
return { redis.call('HGET', KEYS[1], 'version'), now[1], now[2] }`);

/**
 * Adds invalidations in place of those that they include; 0 where there would be too many, and nothing is changed then.
 * KEYS: invalidations. ARGV: new version, most, how many to drop, their ids, then id and JSON of each to add.
 */
export const ADD = defineScript(`
local drops = tonumber(ARGV[3])
local first = 4 + drops
local count = redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'version')
for i = 4, first - 1 do count = count - redis.call('HEXISTS', KEYS[1], ARGV[i]) end
for i = first, #ARGV, 2 do count = count + 1 - redis.call('HEXISTS', KEYS[1], ARGV[i]) end
if count > tonumber(ARGV[2]) then return 0 end
for i = 4, first - 1 do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = first, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'version', ARGV[1])
return 1`);

/** Takes invalidations out that cover nothing any more. KEYS: invalidations. ARGV: new version, ids. */
export const REMOVE = defineScript(`
for i = 2, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('HSET', KEYS[1], 'version', ARGV[1])
return 1`);
