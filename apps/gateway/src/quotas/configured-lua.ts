/**
 * Lua: limits of deja.yaml and the admin API. Needs `now` (ms).
 * Sliding windows in one hash a credential: `r:<n>` and `t:<n>` are the buckets' requests and tokens, `R` and `T` their sums, `h` the oldest
 * bucket that may exist; those of the day have a `d` before their names. A minute has buckets of a second, a day of a minute; each
 * counts until it has wholly left the window, so no minute (and no day), wherever it begins, admits more than the limit.
 * What is expired or empty is passed over once: a decision costs the time since the last one, not the window's length.
 */
export const CONFIGURED = `
local MINUTE = { p = '', width = 1000, length = 60 }
local DAY = { p = 'd', width = 60000, length = 1440 }
local CALL_ENDS = 250

local function used(key, w)
  local p = w.p
  local current = math.floor(now / w.width)
  local first = current - w.length
  local sums = redis.call('HMGET', key, p .. 'R', p .. 'T', p .. 'h')
  local requests, tokens, head = tonumber(sums[1] or 0), tonumber(sums[2] or 0), tonumber(sums[3] or current)
  local before = head
  for bucket = head, math.min(first - 1, head + w.length) do
    local r, t = p .. 'r:' .. bucket, p .. 't:' .. bucket
    local gone = redis.call('HMGET', key, r, t)
    if gone[1] then
      requests = redis.call('HINCRBY', key, p .. 'R', 0 - tonumber(gone[1])) -- not -x: minus zero is no integer to Redis
      tokens = redis.call('HINCRBY', key, p .. 'T', 0 - tonumber(gone[2]))
      redis.call('HDEL', key, r, t)
    end
  end
  head = math.max(head, first)
  if requests <= 0 and tokens <= 0 then head = current end
  while head < current and redis.call('HEXISTS', key, p .. 'r:' .. head) == 0 do head = head + 1 end
  if head ~= before then redis.call('HSET', key, p .. 'h', head) end
  return requests, tokens, head, current
end

-- How long until so much fits under the limit: 0 is now, -1 never.
local function windowWait(key, w, kind, limit, need, have, head, current)
  if limit < 0 or have + need <= limit then return 0 end
  if need > limit then return -1 end
  local excess = have + need - limit
  for bucket = head, current do
    excess = excess - tonumber(redis.call('HGET', key, w.p .. kind .. ':' .. bucket) or 0)
    if excess <= 0 then return math.max(1, (bucket + w.length + 1) * w.width - now) end
  end
  return w.width
end

local function longer(a, b)
  if a < 0 or b < 0 then return -1 end
  return math.max(a, b)
end

-- limits: { rpm, tpm, rpd, tpd, concurrency }, -1 where there is none.
local function configuredWait(c, tokens)
  local wait, limits = 0, c.limits
  for i, w in ipairs({ MINUTE, DAY }) do
    local requestsLimit, tokensLimit = limits[2 * i - 1], limits[2 * i]
    if requestsLimit >= 0 or tokensLimit >= 0 then
      local requests, spent, head, current = used(c.counters, w)
      wait = longer(wait, windowWait(c.counters, w, 'r', requestsLimit, 1, requests, head, current))
      wait = longer(wait, windowWait(c.counters, w, 't', tokensLimit, tokens, spent, head, current))
    end
  end
  if c.flight then
    redis.call('ZREMRANGEBYSCORE', c.flight, '-inf', now)
    if limits[5] == 0 then return -1 end
    if redis.call('ZCARD', c.flight) >= limits[5] then wait = longer(wait, CALL_ENDS) end
  end
  return wait
end

local function configuredCharge(c, tokens, id, lease)
  for i, w in ipairs({ MINUTE, DAY }) do
    if c.limits[2 * i - 1] >= 0 or c.limits[2 * i] >= 0 then
      local bucket = math.floor(now / w.width)
      redis.call('HINCRBY', c.counters, w.p .. 'r:' .. bucket, 1)
      redis.call('HINCRBY', c.counters, w.p .. 't:' .. bucket, tokens)
      redis.call('HINCRBY', c.counters, w.p .. 'R', 1)
      redis.call('HINCRBY', c.counters, w.p .. 'T', tokens)
      redis.call('HSETNX', c.counters, w.p .. 'h', bucket)
    end
  end
  if c.counters then redis.call('PEXPIRE', c.counters, (c.limits[3] >= 0 or c.limits[4] >= 0) and 2 * 86400000 or 130000) end
  if c.flight then
    redis.call('ZADD', c.flight, now + lease, id)
    redis.call('PEXPIRE', c.flight, 2 * lease)
  end
end

-- Corrects a charge in the bucket it was made in, while that bucket counts.
local function configuredCorrect(counters, charged, requests, tokens)
  for _, w in ipairs({ MINUTE, DAY }) do
    local bucket = math.floor(charged / w.width)
    if redis.call('HEXISTS', counters, w.p .. 'r:' .. bucket) == 1 then
      redis.call('HINCRBY', counters, w.p .. 'r:' .. bucket, requests)
      redis.call('HINCRBY', counters, w.p .. 't:' .. bucket, tokens)
      redis.call('HINCRBY', counters, w.p .. 'R', requests)
      redis.call('HINCRBY', counters, w.p .. 'T', tokens)
    end
  end
end
`;
