import { defineScript } from '@deja/redis';
import { ACCOUNT, KEEP_ACCOUNT } from './account-lua.ts';
import { LAPSES, RECORD, RECORDS } from './lease-lua.ts';
import { KEPT_S, READ, TIME } from './state-lua.ts';

const LUA = `${READ}${TIME}${RECORDS}`;

/**
 * What an operation used takes the place of what it held. The second time, or where Redis knows nothing of it, nothing changes.
 * KEYS: leases and what they hold, for each shard. ARGV: now or '', operation, tokens, nano-USD.
 */
export const SETTLE = defineScript(`${LUA}
local operation = ARGV[2]
local function settle(record)
  local stands = standing(record)
  changeTokens(record, ARGV[3] - record[${RECORD.tokens}], stands)
  giveBack(record, stands, ARGV[4])
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
export const RELEASE = defineScript(`${LUA}${LAPSES}
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
    if record or not holds then correct(windowKey, redis.call('MGET', windowKey)[1], at, number, -1, 0) end
  end
end
return 1`);

/**
 * An operation under way takes more tokens than it reserved. Nothing is refused any more, but what comes after it is.
 * KEYS: leases and what they hold, for each shard. ARGV: now or '', operation, tokens to add.
 */
export const ADD = defineScript(`${LUA}
local operation, tokens = ARGV[2], tonumber(ARGV[3])
local function add(record) changeTokens(record, tokens, standing(record)) end
for i = 1, #KEYS, 2 do
  local held = KEYS[i + 1]
  local record = recordOf(held, operation)
  if record and not record[${RECORD.lapsed}] and pcall(add, record) then
    redis.call('HSET', held, operation, cmsgpack.pack(unpack(record)))
  end
end
return 1`);

/**
 * Renews leases. One that ran out meanwhile holds again what it held; so does one that Redis has lost, except for the tokens in windows.
 * KEYS: leases and what they hold, of one shard. ARGV: now or '', lease (ms), then for each operation: its id and its record, JSON.
 */
export const RENEW = defineScript(`${LUA}${LAPSES}
local leases, held, ends = KEYS[1], KEYS[2], time() + ARGV[2]
local function goOn(record)
  if record[${RECORD.lapsed}] then revive(record) else take(record, standing(record)) end
end
for i = 3, #ARGV, 2 do
  local operation = ARGV[i]
  local record = recordOf(held, operation)
  if record and not record[${RECORD.lapsed}] then
    read('ZADD', leases, ends, operation)
    for n = 9 + record[${RECORD.windows}], 8 + record[${RECORD.windows}] + record[${RECORD.flights}] do redis.pcall('EXPIRE', record[n], ${KEPT_S}) end -- a count may never come down to 0
  else
    record = record or cjson.decode(ARGV[i + 1])
    if pcall(goOn, record) then remember(leases, held, operation, record, ends) else forget(leases, held, operation) end
  end
end
keepLeases(leases, held)
return 1`);

/**
 * Tells Redis what was spent, where nobody has told it yet.
 * KEYS: account. ARGV: now or '', nano-USD, end of the period (Unix ms; 0: none). Returns 1 if it was news.
 */
export const SEED = defineScript(`${READ}${TIME}${ACCOUNT}${KEEP_ACCOUNT}
if account(KEYS[1]) then return 0 end
redis.call('HSET', KEYS[1], 'spent', ARGV[2])
keepAccount(KEYS[1], tonumber(ARGV[3]), time())
return 1`);
