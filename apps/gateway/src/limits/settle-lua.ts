import { defineScript } from '@deja/redis';
import { ACCOUNTS } from './account-lua.ts';
import { LEASES } from './lease-lua.ts';
import { STATE } from './state-lua.ts';
import { WINDOWS } from './window-lua.ts';

const LUA = `${STATE}${WINDOWS}${ACCOUNTS}${LEASES}`;

/**
 * What an operation used takes the place of what it held. The second time, or where Redis knows nothing of it, nothing changes.
 * KEYS: leases and what they hold, for each shard. ARGV: now or '', operation, tokens, nano-USD.
 */
export const SETTLE = defineScript(`${LUA}
local operation, tokens, nanoUsd = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local function settle(record)
  changeTokens(record, tokens - record.tokens)
  if not record.lapsed then giveBack(record) end
  for _, a in ipairs(record.accounts) do
    spend(a[1], nanoUsd)
    if record.lapsed then unspend(a[1], record.keptNanoUsd) end
  end
end
for i = 1, #KEYS, 2 do
  local record = recordOf(KEYS[i + 1], operation)
  forget(KEYS[i], KEYS[i + 1], operation)
  if record then pcall(settle, record) end
end
return 1`);

/**
 * Gives everything back, as if the operation had never been. What is held is given back once, however often this runs; a shard where nothing
 * is held has no record of it, and must be asked once.
 * KEYS, for each shard: leases and what they hold, then windows. ARGV: now or '', operation, then for each shard: 1 if something is held there, number
 * of windows, and for each the second and number of the entry.
 */
export const RELEASE = defineScript(`${LUA}
local operation, key, argument = ARGV[2], 0, 2
local function nextKey() key = key + 1 return KEYS[key] end
local function nextNumber() argument = argument + 1 return tonumber(ARGV[argument]) end
while key < #KEYS do
  local leases, held = nextKey(), nextKey()
  local holds, windowsHere = nextNumber() == 1, nextNumber()
  local record = holds and recordOf(held, operation)
  if holds then forget(leases, held, operation) end
  if record then pcall(undo, record) end
  for _ = 1, windowsHere do
    local windowKey, at, number = nextKey(), nextNumber(), nextNumber()
    if record or not holds then correct(windowKey, at, number, -1, 0) end
  end
end
return 1`);

/**
 * An operation under way takes more tokens than it reserved. Nothing is refused any more, but what comes after it is.
 * KEYS: leases and what they hold, for each shard. ARGV: now or '', operation, tokens to add.
 */
export const ADD = defineScript(`${LUA}
local operation, tokens = ARGV[2], tonumber(ARGV[3])
for i = 1, #KEYS, 2 do
  local held = KEYS[i + 1]
  local record = recordOf(held, operation)
  if record and not record.lapsed and pcall(changeTokens, record, tokens) then
    redis.call('HSET', held, operation, cmsgpack.pack(record))
  end
end
return 1`);

/**
 * Renews leases. One that ran out meanwhile holds again what it held; so does one that Redis has lost, except for the tokens in windows.
 * KEYS: leases and what they hold, of one shard. ARGV: now or '', lease (ms), then for each operation: its id and its record, JSON.
 */
export const RENEW = defineScript(`${LUA}
local leases, held, ends = KEYS[1], KEYS[2], now + tonumber(ARGV[2])
for i = 3, #ARGV, 2 do
  local operation = ARGV[i]
  local record = recordOf(held, operation)
  if record and not record.lapsed then
    read('ZADD', leases, ends, operation)
  else
    local again = record and revive or take
    record = record or decoded(cjson.decode, ARGV[i + 1])
    if pcall(again, record) then remember(leases, held, operation, record, ends) else forget(leases, held, operation) end
  end
end
keepLeases(leases, held)
return 1`);

/**
 * Tells Redis what was spent, where nobody has told it yet.
 * KEYS: account. ARGV: now or '', nano-USD, end of the period (Unix ms; 0: none). Returns 1 if it was news.
 */
export const SEED = defineScript(`${STATE}${ACCOUNTS}
if account(KEYS[1]) then return 0 end
redis.call('HSET', KEYS[1], 'spent', ARGV[2])
keepAccount(KEYS[1], tonumber(ARGV[3]))
return 1`);
