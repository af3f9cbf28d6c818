import { defineScript } from '@deja/redis';

/**
 * Sliding windows, exact to a second, in one hash a counter: `r:<second>` and `t:<second>` are buckets, `R` and `T` their
 * sums, `h` the oldest second that may still hold a bucket. Expired buckets are taken off as time passes, so a decision
 * costs the seconds since the last one, not the window's length. The clock is Redis's own: replicas need not agree on time.
 * A bucket counts until it has wholly left the window, so no 60 seconds, wherever they begin, admit more than the limit.
 */
const EXPIRE = `
local clock = redis.call('TIME')
local now = tonumber(clock[1])
local WINDOW = 60
local function expire(key)
  local head = tonumber(redis.call('HGET', key, 'h') or now)
  local first = now - WINDOW
  if first - head > WINDOW + 1 then redis.call('DEL', key) head = first end
  for second = head, first - 1 do
    local gone = redis.call('HMGET', key, 'r:' .. second, 't:' .. second)
    if gone[1] then redis.call('HINCRBY', key, 'R', 0 - tonumber(gone[1])) end
    if gone[2] then redis.call('HINCRBY', key, 'T', 0 - tonumber(gone[2])) end
    if gone[1] or gone[2] then redis.call('HDEL', key, 'r:' .. second, 't:' .. second) end
  end
  redis.call('HSET', key, 'h', math.max(head, first))
  local used = redis.call('HMGET', key, 'R', 'T')
  return tonumber(used[1] or 0), tonumber(used[2] or 0)
end`;

/**
 * All ceilings of one shard, decided together: charged everywhere or nowhere.
 * KEYS: counters. ARGV: tokens, then for each key its requests and tokens per minute (-1: none).
 * Returns {1, second, used requests, used tokens, …} or {0, index from 1, 'requests'|'tokens', wait ms (-1: never fits), used requests, used tokens, …}.
 */
export const RESERVE = defineScript(`${EXPIRE}
local tokens = tonumber(ARGV[1])
local used = {}
local refused, kind, limit
for i, key in ipairs(KEYS) do
  local requests, spent = expire(key)
  used[#used + 1] = requests
  used[#used + 1] = spent
  local rpm, tpm = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  if not refused and rpm >= 0 and requests + 1 > rpm then refused, kind, limit = i, 'requests', rpm end
  if not refused and tpm >= 0 and spent + tokens > tpm then refused, kind, limit = i, 'tokens', tpm end
end
if refused then
  local key, prefix, needed = KEYS[refused], 'r:', 1
  local have = used[2 * refused - 1]
  if kind == 'tokens' then prefix, needed, have = 't:', tokens, used[2 * refused] end
  local wait = -1
  if needed <= limit then
    local excess = have + needed - limit
    for second = now - WINDOW, now do
      excess = excess - tonumber(redis.call('HGET', key, prefix .. second) or 0)
      if excess <= 0 then wait = (second + WINDOW + 1 - now) * 1000 - math.floor(tonumber(clock[2]) / 1000) break end
    end
    if wait < 0 then wait = 1000 end
  end
  for _, k in ipairs(KEYS) do redis.call('EXPIRE', k, 2 * WINDOW + 5) end
  return { 0, refused, kind, wait, unpack(used) }
end
for i, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'r:' .. now, 1)
  redis.call('HINCRBY', key, 'R', 1)
  redis.call('HINCRBY', key, 't:' .. now, tokens)
  redis.call('HINCRBY', key, 'T', tokens)
  redis.call('EXPIRE', key, 2 * WINDOW + 5)
  used[2 * i - 1] = used[2 * i - 1] + 1
  used[2 * i] = used[2 * i] + tokens
end
return { 1, now, unpack(used) }`);

/**
 * Corrects an earlier charge in the bucket it was made in, while that bucket still counts.
 * KEYS: counters. ARGV: second of the charge, requests to add, tokens to add (both may be negative).
 */
export const ADJUST = defineScript(`
local second, requests, tokens = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  if redis.call('HEXISTS', key, 'r:' .. second) == 1 then
    if requests ~= 0 then
      redis.call('HINCRBY', key, 'r:' .. second, requests)
      redis.call('HINCRBY', key, 'R', requests)
    end
    if tokens ~= 0 then
      redis.call('HINCRBY', key, 't:' .. second, tokens)
      redis.call('HINCRBY', key, 'T', tokens)
    end
  end
end
return 1`);
