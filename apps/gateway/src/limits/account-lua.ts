/**
 * Lua: money, in a hash for each budget and period: `spent` and `held`, integer nano-USD. Needs STATE.
 * Amounts are text from end to end, because Lua's numbers are exact to 2^53 only; they are compared as numbers. An account without `spent` is
 * one that nobody has told Redis about: it must not look as if nothing had been spent.
 */
export const ACCOUNTS = `
local PERIOD_SLACK_S, TOTAL_S = 2 * DAY_S, 400 * DAY_S

-- Both as text; spent is false where it is not known.
local function account(key)
  local found = read('HMGET', key, 'spent', 'held')
  for i, field in ipairs({ 'spent', 'held' }) do
    if found[i] and not string.find(found[i], '^-?%d+$') then
      redis.call('HDEL', key, field)
      found[i] = false
    end
  end
  return found[1], found[2] or '0'
end

-- toMs: when the period ends, Unix ms; 0 never.
local function keepAccount(key, toMs)
  if toMs == 0 then redis.call('EXPIRE', key, TOTAL_S)
  elseif redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, math.max(60, math.ceil((toMs - now) / 1000) + PERIOD_SLACK_S)) end
end

local function hold(key, toMs, amount)
  if amount ~= '0' then redis.call('HINCRBY', key, 'held', amount) end
  keepAccount(key, toMs)
end

local function less(key, field, amount)
  if amount == '0' then return end
  redis.call('HINCRBY', key, field, '-' .. amount)
  if string.sub(redis.call('HGET', key, field), 1, 1) == '-' then redis.call('HSET', key, field, '0') end
end

local function unhold(key, amount)
  local _, held = account(key)
  if held ~= '0' then less(key, 'held', amount) end
end

local function spend(key, amount)
  if amount ~= '0' and account(key) then redis.call('HINCRBY', key, 'spent', amount) end
end

local function unspend(key, amount)
  if account(key) then less(key, 'spent', amount) end
end
`;
