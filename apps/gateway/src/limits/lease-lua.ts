import { ACCOUNT, KEEP_ACCOUNT } from './account-lua.ts';
import { KEPT_S } from './state-lua.ts';
import { CHARGE, CORRECT, HEAD, KEEP, WINDOW } from './window-lua.ts';

const SWEPT_AT_ONCE = 100;
const REMEMBERED_MS = 3_600_000;

/** Positions in a record. Its keys begin at 9. */
export const RECORD = { tokens: 1, keptTokens: 2, nanoUsd: 3, keptNanoUsd: 4, lapsed: 5, windows: 6, flights: 7, accounts: 8 };

/**
 * Lua: what operations hold, and how it is given back. Needs READ and TIME.
 * Each shard has a sorted set of operations by when their leases end (Unix ms), and a hash of operation → record. A record is a list of values in MessagePack, one
 * after another, because with names, or lists within it, it takes three times as long to read: tokens charged, keptTokens, nanoUsd held, keptNanoUsd, the tokens
 * that were taken off when the lease ran out (false while it has not); numbers of windows of tokens, of counters of calls under way, and of accounts; their keys,
 * in that order; of each account the end of its period (ms, 0 never); of each window its length, and of what was charged there the second, number of the entry, and tokens.
 * A lease that ran out is remembered a while: its operation may only have been slow, and then goes on or is settled.
 */
export const RECORDS = `
${CORRECT}${ACCOUNT}
-- Throws where it is none.
local function unpacked(text)
  local record = { cmsgpack.unpack(text) }
  if #record ~= 8 + 5 * record[${RECORD.windows}] + record[${RECORD.flights}] + 2 * record[${RECORD.accounts}] then error('no record') end
  return record
end

-- Of an operation; nil where there is none that can be read.
local function recordOf(held, operation)
  local text = read('HGET', held, operation)
  if not text then return end
  local ok, record = pcall(unpacked, text)
  return ok and record or nil
end

local function forget(leases, held, operation)
  read('ZREM', leases, operation)
  read('HDEL', held, operation)
end

-- Its windows' heads, then its counters, as they stand in Redis.
local function standing(record)
  local count = record[${RECORD.windows}] + record[${RECORD.flights}]
  return count > 0 and redis.call('MGET', unpack(record, 9, 8 + count)) or {}
end

-- More tokens count in the entry of the charge, or, when that has left its window, from now on; fewer only where they still count.
local function changeTokens(record, by, stands)
  if by == 0 then return end
  local windows = record[${RECORD.windows}]
  local at = 8 + windows + record[${RECORD.flights}] + 2 * record[${RECORD.accounts}]
  local second = by > 0 and math.floor(time() / 1000)
  for i = 1, windows do
    local key, head, length, charged, entry, tokens = record[8 + i], stands[i], record[at + 1], record[at + 2], record[at + 3], record[at + 4]
    if by < 0 then
      local less = math.min(tokens, 0 - by)
      correct(key, head, charged, entry, 0, 0 - less)
      record[at + 4] = tokens - less
    elseif charged >= second - length then
      correct(key, head, charged, entry, 0, by)
      record[at + 4] = tokens + by
    else
      ${WINDOW}${KEEP}${CHARGE}
      local w = window(key, length, second, head)
      charge(w, key, length, second, 0, by)
      record[at + 2], record[at + 3], record[at + 4] = w[${HEAD.last}], w[${HEAD.number}], by
    end
    at = at + 4
  end
  record[${RECORD.tokens}] = record[${RECORD.tokens}] + by
end

local function less(key, field, amount)
  if amount ~= '0' and redis.call('HINCRBY', key, field, '-' .. amount) < 0 then redis.call('HSET', key, field, '0') end
end

-- Whoever holds nothing any more may have spent something: nano-USD.
local function giveBack(record, stands, spends)
  local nanoUsd, keptNanoUsd, lapsed, windows, flights, accounts = unpack(record, 3, 8)
  for i = 1, lapsed and 0 or flights do
    -- Calls under way. A count lives as long as the leases that count in it, and only changes with them; there is none of 0.
    local key, count = record[8 + windows + i], math.floor(tonumber(stands[windows + i]) or 0)
    if count > 1 then redis.call('SET', key, string.format('%d', count - 1), 'KEEPTTL') else redis.call('DEL', key) end
  end
  for i = 1, accounts do
    local key = record[8 + windows + flights + i]
    local spent, held = account(key)
    if not lapsed and held ~= '0' then less(key, 'held', nanoUsd) end
    if spent and spends ~= '0' then redis.call('HINCRBY', key, 'spent', spends) end
    if spent and lapsed then less(key, 'spent', keptNanoUsd) end
  end
end
`;

/** Lua: operations that went wrong, and those that are slow. Needs RECORDS. */
export const LAPSES = `
${KEEP_ACCOUNT}
local function take(record, stands)
  local windows, flights, accounts, nanoUsd = record[${RECORD.windows}], record[${RECORD.flights}], record[${RECORD.accounts}], record[${RECORD.nanoUsd}]
  for i = 1, flights do
    local key, count = record[8 + windows + i], math.floor(tonumber(stands[windows + i]) or 0)
    if count > 0 then redis.call('SET', key, string.format('%d', count + 1), 'KEEPTTL') else redis.call('SET', key, '1', 'EX', ${KEPT_S}) end
  end
  local first = 8 + windows + flights
  for i = 1, accounts do
    local key = record[first + i]
    if nanoUsd ~= '0' then redis.call('HINCRBY', key, 'held', nanoUsd) end
    keepAccount(key, record[first + accounts + i], time())
  end
end

-- As the ledger will have it of an operation whose gateway died.
local function lapse(record)
  local stands = standing(record)
  giveBack(record, stands, record[${RECORD.keptNanoUsd}])
  record[${RECORD.lapsed}] = math.max(0, record[${RECORD.tokens}] - record[${RECORD.keptTokens}])
  changeTokens(record, 0 - record[${RECORD.lapsed}], stands)
end

local function revive(record)
  local stands, first = standing(record), 8 + record[${RECORD.windows}] + record[${RECORD.flights}]
  take(record, stands)
  for i = 1, record[${RECORD.accounts}] do
    local key = record[first + i]
    if account(key) then less(key, 'spent', record[${RECORD.keptNanoUsd}]) end
  end
  changeTokens(record, record[${RECORD.lapsed}], stands)
  record[${RECORD.lapsed}] = false
end

-- As if nothing had been charged, but for the request itself.
local function undo(record)
  local stands = standing(record)
  changeTokens(record, 0 - record[${RECORD.tokens}], stands)
  giveBack(record, stands, '0')
end

local function remember(leases, held, operation, record, untilMs)
  redis.call('ZADD', leases, untilMs, operation)
  redis.call('HSET', held, operation, cmsgpack.pack(unpack(record)))
end

-- Gives back what is held under leases that ran out. A record that makes no sense is only forgotten.
local function sweep(leases, held, now)
  for _, operation in ipairs(read('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, ${SWEPT_AT_ONCE})) do
    local record = recordOf(held, operation)
    if record and not record[${RECORD.lapsed}] and pcall(lapse, record) then
      remember(leases, held, operation, record, now + ${REMEMBERED_MS})
    else
      forget(leases, held, operation)
    end
  end
end

local function keepLeases(leases, held)
  redis.call('EXPIRE', leases, ${KEPT_S})
  redis.call('EXPIRE', held, ${KEPT_S})
end
`;
