/**
 * Lua: what operations hold, and how it is given back. Needs STATE, WINDOWS and ACCOUNTS.
 * Each shard has a sorted set of operations by when their leases end (Unix ms), and a hash of operation → record, in MessagePack (which takes a third
 * of JSON's time):
 * { windows: of tokens { key, length, second, number of the entry, tokens there }, flights: keys of counters, accounts: { key, end of the period (ms, 0 never) },
 *   tokens charged, keptTokens, nanoUsd held, keptNanoUsd, lapsed: the tokens that were taken off when the lease ran out; nil while it has not }
 * A lease that ran out is remembered a while: its operation may only have been slow, and then goes on or is settled.
 */
export const LEASES = `
local SWEPT_AT_ONCE = 100
local REMEMBERED_MS = 3600000

-- Calls under way. A count lives as long as the leases that count in it, and only changes with them.
local function flights(key)
  return math.max(0, math.floor(tonumber(read('GET', key)) or 0))
end
local function depart(key) redis.call('SET', key, string.format('%d', flights(key) + 1), 'EX', KEPT_S) end
local function land(key)
  local count = flights(key)
  if count > 1 then redis.call('SET', key, string.format('%d', count - 1), 'EX', KEPT_S) else redis.call('DEL', key) end
end

-- More tokens count in the entry of the charge, or, when that has left its window, from now on; fewer only where they still count.
local function changeTokens(record, by)
  if by == 0 then return end
  for _, w in ipairs(record.windows) do
    local key, length, at, number, tokens = w[1], w[2], w[3], w[4], w[5]
    if by < 0 then
      local less = math.min(tokens, 0 - by)
      correct(key, at, number, 0, 0 - less)
      w[5] = tokens - less
    elseif at >= second - length then
      correct(key, at, number, 0, by)
      w[5] = tokens + by
    else
      w[3], w[4] = charge(window(key, length), 0, by)
      w[5] = by
    end
  end
  record.tokens = record.tokens + by
end

local function take(record)
  for _, key in ipairs(record.flights) do depart(key) end
  for _, a in ipairs(record.accounts) do hold(a[1], a[2], record.nanoUsd) end
end

local function giveBack(record)
  for _, key in ipairs(record.flights) do land(key) end
  for _, a in ipairs(record.accounts) do unhold(a[1], record.nanoUsd) end
end

-- As the ledger will have it of an operation whose gateway died.
local function lapse(record)
  giveBack(record)
  for _, a in ipairs(record.accounts) do spend(a[1], record.keptNanoUsd) end
  record.lapsed = math.max(0, record.tokens - record.keptTokens)
  changeTokens(record, 0 - record.lapsed)
end

local function revive(record)
  take(record)
  for _, a in ipairs(record.accounts) do unspend(a[1], record.keptNanoUsd) end
  changeTokens(record, record.lapsed)
  record.lapsed = nil
end

-- As if nothing had been charged, but for the request itself.
local function undo(record)
  changeTokens(record, 0 - record.tokens)
  if not record.lapsed then return giveBack(record) end
  for _, a in ipairs(record.accounts) do unspend(a[1], record.keptNanoUsd) end
end

-- nil where it cannot be read.
local function decoded(decode, text)
  local ok, record = pcall(decode, text or '')
  return ok and type(record) == 'table' and record or nil
end

local function forget(leases, held, operation)
  read('ZREM', leases, operation)
  read('HDEL', held, operation)
end

local function remember(leases, held, operation, record, untilMs)
  redis.call('ZADD', leases, untilMs, operation)
  redis.call('HSET', held, operation, cmsgpack.pack(record))
end

local function keepLeases(leases, held)
  redis.call('EXPIRE', leases, KEPT_S)
  redis.call('EXPIRE', held, KEPT_S)
end

-- Of an operation; nil where there is none that can be read.
local function recordOf(held, operation) return decoded(cmsgpack.unpack, read('HGET', held, operation)) end

-- Gives back what is held under leases that ran out. A record that makes no sense is only forgotten.
local function sweep(leases, held)
  for _, operation in ipairs(read('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, SWEPT_AT_ONCE)) do
    local record = recordOf(held, operation)
    if record and not record.lapsed and pcall(lapse, record) then
      remember(leases, held, operation, record, now + REMEMBERED_MS)
    else
      forget(leases, held, operation)
    end
  end
end
`;
